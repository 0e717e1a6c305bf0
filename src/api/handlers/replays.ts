import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Conflict, NotFound } from "../failures.ts";
import { type ReplayNotStarted, ReplaysAdmin } from "../replays-port.ts";
import { unavailable } from "./node.ts";

const notStarted = ({ code, detail, kind }: ReplayNotStarted) => {
  const error = { code, message: detail };
  if (kind === "notFound") return Effect.fail(new NotFound({ error }));
  return kind === "invalid" ? Effect.fail(new BadRequest({ error })) : Effect.fail(new Conflict({ error }));
};

export const ReplaysHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "replays",
  Effect.fn(function* (handlers) {
    const admin = yield* ReplaysAdmin;
    return handlers.handleAll({
      startReplay: ({ params, payload }) =>
        admin
          .start(params.id, payload)
          .pipe(Effect.catchTags({ ReplayNotStarted: notStarted, ApiUnavailable: unavailable })),
      listReplays: () =>
        admin.list.pipe(
          Effect.map((replays) => ({ replays })),
          Effect.mapError(unavailable),
        ),
      cancelReplay: Effect.fnUntraced(function* ({ params: { id } }) {
        const cancelled = yield* Effect.mapError(admin.cancel(id), unavailable);
        if (cancelled !== undefined) return cancelled;
        return yield* new NotFound({
          error: { code: "replay_not_found", message: `There is no replay "${id}" here.` },
        });
      }),
    });
  }),
);
