import { Effect, Metric, Queue } from "effect";
import { configUnsaved } from "../observability/config-metrics.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { LastKnownGood } from "./last-known-good.ts";

/** A disk that is full has room again when somebody has made some: no sooner for being asked often. */
const waitMillisMin = 1_000;
const waitMillisMax = 30_000;

interface Served {
  readonly snapshot: Snapshot;
  readonly encoded: Uint8Array;
}

/**
 * Writes what is served to the disk, for as long as the scope lives. It is served already: a disk that is slow or full
 * must not keep a good configuration away. Of several only the last is written, and that one until it is: a node that
 * starts by itself would go back in time.
 *
 * @returns to be told what is served; never waits
 */
export const keepNewest = Effect.fnUntraced(function* (lastKnownGood: LastKnownGood) {
  const news = yield* Queue.sliding<void>(1);
  let unsaved: Served | undefined;
  let waitMillis = waitMillisMin;
  let isFailing = false;

  const save = Effect.fnUntraced(function* (served: Served) {
    yield* lastKnownGood.save(served.snapshot, served.encoded);
    if (unsaved === served) unsaved = undefined;
    waitMillis = waitMillisMin;
    yield* Metric.update(configUnsaved, 0);
    if (isFailing) yield* Effect.logInfo("The configuration is kept on this node's disk again.");
    isFailing = false;
  });

  const endure = Effect.fnUntraced(function* (detail: Readonly<Record<string, string>>) {
    yield* Metric.update(configUnsaved, 1);
    if (!isFailing) {
      yield* Effect.logError("The configuration is served, but cannot be kept on this node's disk.", detail);
    }
    isFailing = true;
    // A newer one is tried at once.
    yield* Queue.take(news).pipe(Effect.timeoutOption(waitMillis));
    waitMillis = Math.min(waitMillisMax, waitMillis * 2);
  });

  const turn = Effect.suspend(() =>
    unsaved === undefined
      ? Queue.take(news)
      : save(unsaved).pipe(
          Effect.catch(({ message, path }) => endure({ path, message })),
          Effect.catchDefect((defect) => endure({ message: String(defect) })),
        ),
  );
  yield* Effect.forkScoped(Effect.forever(turn));
  return (served: Served): void => {
    unsaved = served;
    Queue.offerUnsafe(news, undefined);
  };
});
