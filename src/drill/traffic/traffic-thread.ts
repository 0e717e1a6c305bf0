import { Deferred, Effect, type Scope } from "effect";
import { Worker } from "node:worker_threads";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";

export interface TrafficThread<Out> {
  readonly post: (message: Out) => void;
  /** Fails when the thread does. */
  readonly ended: Deferred.Deferred<never, DrillFailure>;
}

/**
 * Starts one of the traffic's threads; ends it with the scope.
 *
 * @param name `producer` or `sink`: the file beside this one, in a clone (`.ts`) and in the package (`.js`)
 */
export const startTrafficThread = Effect.fnUntraced(function* <Out>(
  name: "producer" | "sink",
  data: object,
  onMessage: (message: unknown) => void,
): Effect.fn.Return<TrafficThread<Out>, DrillFailure, Scope.Scope> {
  const ended = Deferred.makeUnsafe<never, DrillFailure>();
  const entry = new URL(`./${name}-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = new Worker(entry, { workerData: data, name: `drill-${name}` });
      const fail = (why: string) =>
        Deferred.doneUnsafe(ended, Effect.fail(drillFailure(`The drill's ${name} ended: ${why}`)));
      started.on("message", onMessage);
      started.on("error", (error) => fail(error instanceof Error ? error.message : String(error)));
      started.on("exit", (code) => fail(`code ${code}`));
      return started;
    }),
    (started) => Effect.promise(() => started.terminate()),
  );
  return { post: (message) => worker.postMessage(message), ended };
});

/** Waits for an answer of a thread, but not for longer than it lives, nor than it may take. */
export const awaited = <A>(
  answer: Deferred.Deferred<A>,
  thread: { readonly ended: Deferred.Deferred<never, DrillFailure> },
  what: string,
  millisMax: number,
): Effect.Effect<A, DrillFailure> =>
  Effect.raceFirst(Deferred.await(answer), Deferred.await(thread.ended)).pipe(
    Effect.timeoutOrElse({
      duration: millisMax,
      orElse: () => Effect.fail(drillFailure(`${what} took longer than ${millisMax / 1_000} s.`)),
    }),
  );
