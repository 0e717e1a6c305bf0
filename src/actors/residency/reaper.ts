import { Effect } from "effect";

/** How often the one reaper of a node goes round. */
const roundMillis = 500;

/**
 * The node's one reaper, in place of a timer for each buffer: goes round the partitions, lets the quiescent hibernate
 * and gives places to those who wait for one.
 */
export const reap = (partitions: () => Iterable<{ readonly tend: Effect.Effect<void> }>): Effect.Effect<never> =>
  Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(roundMillis);
      for (const { tend } of Array.from(partitions())) {
        yield* tend.pipe(
          Effect.catchCause((cause) => Effect.logError("The reaper could not finish its round of a partition.", cause)),
        );
      }
    }
  });
