import { Deferred, Effect, Queue, type Scope } from "effect";
import type { JobSet } from "../actors/ports/jobs.ts";

/** One owner's way to new sets: one at a time, and of those that came meanwhile only the last. */
export interface JobAdopter {
  /** Hands a set over and answers at once; what it answers completes when that set, or a later one, was adopted. */
  readonly offer: (set: JobSet) => Effect.Effect<Deferred.Deferred<void>>;
}

interface Waiting {
  readonly set: JobSet;
  readonly adopted: Deferred.Deferred<void>;
}

/** Lives as long as `scope`, whoever registered it: an owner that adopts slowly is never interrupted half-way. */
export const startJobAdopter = Effect.fnUntraced(function* (
  adopt: (set: JobSet) => Effect.Effect<void>,
  scope: Scope.Scope,
) {
  const signal = yield* Queue.sliding<void>(1);
  let waiting: Waiting | undefined;

  const adoptNext = Effect.gen(function* () {
    yield* Queue.take(signal);
    const now = waiting;
    waiting = undefined;
    if (now === undefined) return;
    yield* Effect.suspend(() => adopt(now.set)).pipe(
      Effect.catchCause((cause) => Effect.logError("An owner failed to adopt a set of push jobs.", cause)),
    );
    yield* Deferred.succeed(now.adopted, undefined);
  });
  yield* Effect.forkIn(Effect.forever(adoptNext), scope);

  const adopter: JobAdopter = {
    offer: Effect.fnUntraced(function* (set) {
      // Whoever waits for the set that this one replaces is content with this one.
      const adopted = waiting?.adopted ?? (yield* Deferred.make<void>());
      waiting = { set, adopted };
      Queue.offerUnsafe(signal, undefined);
      return adopted;
    }),
  };
  return adopter;
});
