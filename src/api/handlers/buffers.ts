import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { BufferCommands, type BufferNotFound, BuffersView, type CommandRefused } from "../buffers-port.ts";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Conflict, NotFound } from "../failures.ts";
import { pageMax } from "../page-query.ts";
import { unavailable } from "./node.ts";

const notFound = ({ job }: Pick<BufferNotFound, "job">) =>
  Effect.fail(
    new NotFound({ error: { code: "buffer_not_found", message: `There is no buffer of a push job "${job}".` } }),
  );

const refused = ({ code, detail }: CommandRefused) => {
  const error = { code, message: detail };
  return code === "invalid_skip" ? Effect.fail(new BadRequest({ error })) : Effect.fail(new Conflict({ error }));
};

const failures = { BufferNotFound: notFound, CommandRefused: refused, ApiUnavailable: unavailable };

export const BuffersHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "buffers",
  Effect.fn(function* (handlers) {
    const view = yield* BuffersView;
    const commands = yield* BufferCommands;
    return handlers.handleAll({
      listBuffers: ({ query }) => view.list({ ...query, limit: query.limit ?? pageMax }),
      getBuffer: Effect.fnUntraced(function* ({ params }) {
        const found = yield* view.get(params.job);
        if (found !== undefined) return found;
        return yield* new NotFound({
          error: {
            code: "buffer_not_found",
            message: `This node has no buffer of a push job "${params.job}". Another node may own its partition.`,
          },
        });
      }),
      resumeBuffer: ({ params }) => commands.resume(params.job).pipe(Effect.catchTags(failures)),
      quarantineBuffer: ({ params }) => commands.quarantine(params.job).pipe(Effect.catchTags(failures)),
      skipBuffer: ({ params, payload }) => commands.skip(params.job, payload.to).pipe(Effect.catchTags(failures)),
    });
  }),
);
