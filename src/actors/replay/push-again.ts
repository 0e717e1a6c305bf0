import { Clock, Effect, Random } from "effect";
import { hash } from "node:crypto";
import type { BatchRef } from "../../domain/batch.ts";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import { retryDelayMillis, type RetryPolicy } from "../../domain/retry-policy.ts";
import type { OpenDestination } from "../ports/destinations.ts";

/** A batch that was or could have been pushed before, on its way once more. */
export interface ReplayBatch {
  readonly ref: BatchRef;
  /** Says that it is a replay, so that no receiver takes it for the first delivery. */
  readonly id: string;
  readonly body: ReadonlyArray<Uint8Array>;
  readonly bodyBytes: number;
}

/** What became of an attempt that is going to be repeated. */
export interface Setback {
  readonly attempt: number;
  readonly outcome: Exclude<PushOutcome, { readonly _tag: "Delivered" }>;
  /** Epoch millis. */
  readonly nextAttemptMillis: number;
}

/** `<incarnation>_<job>_<first>-<last>_replay-<name>`: the same replay pushes the same range under the same id. */
export const replayBatchId = (incarnation: string, job: string, { first, last }: BatchRef, name: string): string =>
  `${incarnation}_${job}_${first}-${last}_replay-${name}`;

/** One attempt. */
export const pushOnce = (
  destination: OpenDestination,
  { body, bodyBytes, id, ref }: ReplayBatch,
  attempt: number,
): Effect.Effect<PushOutcome> => {
  const hex = hash("sha256", id, "hex").slice(0, 8);
  return destination.push({ batch: ref, batchId: id, hex, attempt, body, bodyBytes, replay: true });
};

/**
 * Until it is delivered, is rejected, which does not mend itself, or has been tried often enough: the last outcome.
 * `Retry-After` is honoured.
 *
 * @param destination asked for before each attempt: the job may have been repaired meanwhile
 */
export const pushAgain = Effect.fnUntraced(function* <E>(
  destination: Effect.Effect<OpenDestination, E>,
  batch: ReplayBatch,
  policy: RetryPolicy & { readonly attemptsMax: number },
  onSetback: (setback: Setback) => void,
): Effect.fn.Return<PushOutcome, E> {
  for (let attempt = 1; ; attempt++) {
    const outcome = yield* pushOnce(yield* destination, batch, attempt);
    if (outcome._tag !== "Deferred") return outcome;
    // Nothing was tried: a replay waits for as long as a person's switch is on, or until somebody cancels it.
    const isHeld = outcome.reason === "switched-off";
    if (!isHeld && attempt >= policy.attemptsMax) return outcome;
    const delayMillis = retryDelayMillis(policy, attempt, yield* Random.next, outcome.retryAfterMillis);
    onSetback({ attempt, outcome, nextAttemptMillis: (yield* Clock.currentTimeMillis) + delayMillis });
    yield* Effect.sleep(delayMillis);
    if (isHeld) attempt -= 1;
  }
});
