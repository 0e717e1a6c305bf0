import { jetstreamManager } from "@nats-io/jetstream";
import { Effect } from "effect";
import { attempt, Nats } from "./nats.ts";

const answerMillisMax = 2_000;
/** They fill up over days, and whoever asks more often makes the servers work for it. */
const lookMillis = 30_000;

/**
 * Which share of its own bound each stream uses, from 0 to 1, as it was last heard; 0 before. Its own, for it may
 * have been given more room than the settings know of. Looked at for as long as the scope lives.
 */
export const watchStreamFill = Effect.fnUntraced(function* (streams: ReadonlyArray<string>) {
  const { control } = yield* Nats;
  const shares = new Map<string, number>();
  const look = Effect.gen(function* () {
    const manager = yield* attempt("manage", () =>
      jetstreamManager(control, { checkAPI: false, timeout: answerMillisMax }),
    );
    for (const stream of streams) {
      // One that is not there yet, or has no leader, says nothing.
      yield* attempt("manage", () => manager.streams.info(stream)).pipe(
        Effect.tap(({ config, state }) =>
          Effect.sync(() => void (config.max_bytes > 0 && shares.set(stream, state.bytes / config.max_bytes))),
        ),
        Effect.ignore,
      );
    }
  });
  yield* Effect.forkScoped(
    Effect.forever(
      look.pipe(
        Effect.ignore,
        // A connection that was closed for good throws.
        Effect.catchDefect(() => Effect.void),
        Effect.andThen(Effect.sleep(lookMillis)),
      ),
    ),
  );
  return (stream: string): number => shares.get(stream) ?? 0;
});
