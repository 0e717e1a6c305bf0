import { Deferred, Effect, Metric, type Scope } from "effect";
import { type StoreName, storeNotOpen } from "../observability/store-metrics.ts";
import { type Nats, NatsError } from "./nats.ts";
import type { TopologyMismatch } from "./topology.ts";

/** How it is opened is bounded in time, for a stream without a leader may never answer. */
const attemptMillisMax = 10_000;
const waitMillisMin = 250;
const waitMillisMax = 5_000;

/** A store that is made, or found to be as it should, while its users already work. */
export interface StoreOpening {
  readonly name: StoreName;
  /** Why it is not open; undefined: it is. */
  readonly problem: () => string | undefined;
  /** Fails, and says why, as long as it is not open. */
  readonly opened: Effect.Effect<void, NatsError>;
  /** Completes when it is open, or after so long; fails when what is there is not what is wanted. */
  readonly awaitOpen: (millisMax: number) => Effect.Effect<void, TopologyMismatch>;
}

/** Tries for as long as the scope lives, or until it is open. */
export const keepOpening = Effect.fnUntraced(function* (
  name: StoreName,
  open: Effect.Effect<unknown, NatsError | TopologyMismatch, Nats>,
): Effect.fn.Return<StoreOpening, never, Nats | Scope.Scope> {
  const settled = yield* Deferred.make<void, TopologyMismatch>();
  let problem: string | undefined = "no answer yet";
  let told = "";
  const attempt = open.pipe(
    Effect.timeoutOrElse({
      duration: attemptMillisMax,
      orElse: () => Effect.fail(silent),
    }),
    Effect.as(true),
    Effect.catch((failure) =>
      Effect.gen(function* () {
        problem = failure._tag === "NatsError" ? failure.detail : failure.message;
        if (problem !== told) {
          told = problem;
          yield* Effect.logError("A store cannot be opened; it is tried again.", { store: name, detail: problem });
        }
        if (failure._tag === "TopologyMismatch") yield* Deferred.fail(settled, failure);
        return false;
      }),
    ),
    // A connection that was closed for good throws.
    Effect.catchDefect((defect) => {
      problem = String(defect);
      return Effect.succeed(false);
    }),
  );
  const keepTrying = Effect.gen(function* () {
    yield* Metric.update(storeNotOpen(name), 1);
    for (let waitMillis = waitMillisMin; !(yield* attempt); waitMillis = Math.min(waitMillisMax, 2 * waitMillis)) {
      yield* Effect.sleep(waitMillis);
    }
    problem = undefined;
    yield* Metric.update(storeNotOpen(name), 0);
    if (told !== "") yield* Effect.logInfo("A store is open.", { store: name });
    yield* Deferred.succeed(settled, undefined);
  });
  yield* Effect.forkScoped(keepTrying);
  return {
    name,
    problem: () => problem,
    opened: Effect.suspend(() => (problem === undefined ? Effect.void : Effect.fail(notOpen(problem)))),
    awaitOpen: (millisMax) => Deferred.await(settled).pipe(Effect.timeoutOption(millisMax), Effect.asVoid),
  };
});

const silent = new NatsError({ operation: "manage", detail: `no answer in ${attemptMillisMax} ms`, cause: undefined });

const notOpen = (problem: string) =>
  new NatsError({ operation: "manage", detail: `it is not open yet: ${problem}`, cause: undefined });
