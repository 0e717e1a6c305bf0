import { Clock, Deferred, Effect, Queue, Semaphore } from "effect";
import type { JobSet } from "../actors/ports/jobs.ts";
import { type JobAdopter, startJobAdopter } from "./job-adopter.ts";

/** Forwarders wait so long for owners to adopt a set before they serve it all the same. */
const adoptMillisMax = 1_000;
const paceMillisMin = 50;
const paceMillisMax = 500;
/** Making sets takes at most one part in so many of a node's time. */
const paceShare = 5;

/** Brings each new set to the owners first, then to the forwarders. */
export interface JobServing {
  readonly served: () => JobSet;
  /** The store's sequence that the served set reflects. */
  readonly servedPosition: () => number;
  readonly onChange: (adopt: (set: JobSet) => Effect.Effect<void>) => Effect.Effect<void>;
  /** Completes when the served set reflects `position`. */
  readonly awaitPosition: (position: number) => Effect.Effect<void>;
  /** Something changed: the next set is made soon. Cheap, never waits. */
  readonly changed: () => void;
}

/** A set and the store's sequence that it reflects. */
export interface Numbered {
  readonly set: JobSet;
  readonly position: number;
}

/**
 * Starts to serve. `next` makes the set that is due; however fast changes come, it is asked once in 50 ms at most, and
 * rarer when it takes long, so that a burst of changes never takes the node.
 */
export const makeJobServing = Effect.fnUntraced(function* (first: Numbered, next: () => Numbered) {
  const owners: Array<JobAdopter> = [];
  const oneAtATime = yield* Semaphore.make(1);
  const scope = yield* Effect.scope;
  const signal = yield* Queue.sliding<void>(1);
  let served = first;
  let latest = first;
  let turn = yield* Deferred.make<void>();

  const publish = Effect.gen(function* () {
    const startMillis = yield* Clock.currentTimeMillis;
    latest = next();
    const buildMillis = (yield* Clock.currentTimeMillis) - startMillis;
    yield* offerToAll(owners, latest.set);
    served = latest;
    const before = turn;
    turn = yield* Deferred.make<void>();
    yield* Deferred.succeed(before, undefined);
    return Math.min(paceMillisMax, Math.max(paceMillisMin, buildMillis * paceShare));
  });

  yield* Effect.forkScoped(
    Effect.forever(
      Queue.take(signal).pipe(
        Effect.andThen(oneAtATime.withPermits(1)(publish)),
        Effect.flatMap((millis) => Effect.sleep(millis)),
        Effect.catchCause((cause) => Effect.logError("A set of push jobs was not served.", cause)),
      ),
    ),
  );

  const onChange = Effect.fnUntraced(function* (adopt: (set: JobSet) => Effect.Effect<void>) {
    const owner = yield* startJobAdopter(adopt, scope);
    // Under the permit: no set may slip by between the first one and those that follow.
    const adopted = yield* oneAtATime.withPermits(1)(
      Effect.suspend(() => {
        owners.push(owner);
        return owner.offer(latest.set);
      }),
    );
    yield* Deferred.await(adopted);
  });

  const awaitPosition = (position: number): Effect.Effect<void> =>
    Effect.suspend(() =>
      served.position >= position
        ? Effect.void
        : Deferred.await(turn).pipe(Effect.andThen(Effect.suspend(() => awaitPosition(position)))),
    );

  const serving: JobServing = {
    served: () => served.set,
    servedPosition: () => served.position,
    onChange,
    awaitPosition,
    changed: () => Queue.offerUnsafe(signal, undefined),
  };
  return serving;
});

/** Waits until every owner has adopted the set, or has had its time for it. A slow one goes on by itself. */
const offerToAll = Effect.fnUntraced(function* (owners: ReadonlyArray<JobAdopter>, set: JobSet) {
  yield* Effect.forEach(
    owners,
    (owner) =>
      owner.offer(set).pipe(
        Effect.flatMap((adopted) => Deferred.await(adopted)),
        Effect.timeoutOrElse({
          duration: adoptMillisMax,
          orElse: () => Effect.logError("An owner has not adopted a set of push jobs in time.", { number: set.number }),
        }),
      ),
    { concurrency: "unbounded", discard: true },
  );
});
