import { DateTime, Effect, Option } from "effect";
import type { ReplayBound, ReplayRefused } from "../actors/replay/replay-range.ts";
import { Replays } from "../actors/replay/replays.ts";
import { ApiUnavailable } from "../api/ports.ts";
import type { ReplayBoundInput, ReplayInput } from "../api/replay-reports.ts";
import { ReplayNotStarted, ReplaysAdmin } from "../api/replays-port.ts";
import { isId } from "../domain/ids.ts";

/** Replays for the API: times and sequences read on the way in. */
export const makeReplaysAdmin = Effect.gen(function* () {
  const replays = yield* Replays;
  return ReplaysAdmin.of({
    start: Effect.fnUntraced(function* (job: string, { from, id, to }: ReplayInput) {
      if (id !== undefined && !isId(id)) return yield* invalid("id: must be 1 to 64 letters, digits, '-' or '_'");
      const request = {
        job,
        from: yield* boundOf("from", from),
        to: to === undefined ? undefined : yield* boundOf("to", to),
        name: id,
      };
      return yield* replays.start(request).pipe(
        Effect.catchTags({
          ReplayRefused: (refusal) => Effect.fail(notStarted(refusal)),
          LogUnavailable: ({ detail }) =>
            Effect.fail(new ApiUnavailable({ detail: `The log cannot be read: ${detail}` })),
        }),
      );
    }),
    list: Effect.sync(replays.list),
    cancel: replays.cancel,
  });
});

const boundOf = (field: string, input: ReplayBoundInput): Effect.Effect<ReplayBound, ReplayNotStarted> => {
  if (typeof input === "number") return Effect.succeed({ sequence: input });
  // A date alone or one without a zone would mean another moment on another machine.
  const time = /T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(input) ? DateTime.make(input) : Option.none();
  return Option.isSome(time)
    ? Effect.succeed({ millis: DateTime.toEpochMillis(time.value) })
    : invalid(`${field}: must be a sequence, or a time with its zone such as 2026-11-23T07:00:00Z`);
};

const invalid = (detail: string) =>
  Effect.fail(new ReplayNotStarted({ kind: "invalid", code: "invalid_replay", detail }));

const notStarted = ({ detail, reason }: ReplayRefused) =>
  new ReplayNotStarted({
    kind: reason === "job-not-found" ? "notFound" : reason === "empty-range" ? "invalid" : "conflict",
    code: reason.replaceAll("-", "_"),
    detail,
  });
