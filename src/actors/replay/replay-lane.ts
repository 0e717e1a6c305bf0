import { Effect, Exit, Schema, Scope } from "effect";
import { sliceRecords } from "../buffer/slice-records.ts";
import type { ClosedBatch } from "../buffer/window.ts";
import type { StoredJob } from "../../domain/push-job.ts";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import type { RetryPolicy } from "../../domain/retry-policy.ts";
import { Destinations, type OpenDestination } from "../ports/destinations.ts";
import { pushAgain, type ReplayBatch, replayBatchId, type Setback } from "./push-again.ts";
import type { ReplayProgress } from "./replay-report.ts";

/** A replay that ended before its range did. */
export class ReplayFailed extends Schema.TaggedError<ReplayFailed>()("ReplayFailed", { detail: Schema.String }) {}

export interface DeliverOptions {
  readonly policy: RetryPolicy & { readonly attemptsMax: number };
  /** Records refused in a row before the destination, not the records, is held to be at fault. */
  readonly refusedInRowMax: number;
}

/** What the ids of a replay's batches are made of. */
export interface ReplayIdentity {
  readonly name: string;
  readonly job: string;
  readonly incarnation: string;
}

type Refusal = Exclude<PushOutcome, { readonly _tag: "Delivered" }>;

/** How a replay's batches leave. */
export interface ReplayLane {
  /** Completes when every record of the batch was delivered, or refused by itself. */
  readonly deliver: (batch: ClosedBatch) => Effect.Effect<void, ReplayFailed>;
}

/**
 * Opens the way out of one replay.
 *
 * @param newest the job as it is now, or why it may not be pushed to any more: asked before every attempt
 */
export const openLane = Effect.fnUntraced(function* (
  { incarnation, job, name }: ReplayIdentity,
  newest: () => StoredJob | ReplayFailed,
  progress: ReplayProgress,
  options: DeliverOptions,
): Effect.fn.Return<ReplayLane, never, Destinations | Scope.Scope> {
  const destination = yield* latestDestination(newest);
  let refusedInRow = 0;

  const push = Effect.fnUntraced(function* (batch: ReplayBatch) {
    const outcome = yield* pushAgain(destination, batch, options.policy, (setback) => noteSetback(progress, setback));
    progress.nextAttemptMillis = null;
    if (outcome._tag === "Delivered") {
      progress.batches += 1;
      progress.records += batch.ref.records;
      progress.bytes += batch.ref.bytes;
      progress.lastError = null;
      refusedInRow = 0;
    } else progress.lastError = outcome.detail;
    return outcome;
  });

  const refuse = ({ ref }: ReplayBatch, outcome: Refusal) => {
    progress.recordsRefused += 1;
    refusedInRow += 1;
    return refusedInRow > options.refusedInRowMax
      ? Effect.fail(failedAt(ref, `${refusedInRow} records in a row were refused, the last with: ${outcome.detail}`))
      : Effect.void;
  };

  const deliver = Effect.fnUntraced(function* (closed: ClosedBatch): Effect.fn.Return<void, ReplayFailed> {
    const whole = batchOf(closed, replayBatchId(incarnation, job, closed.ref, name));
    // Halved where the destination refuses the data, down to the record: at most twice as many pushes as records, and
    // for one refused record about two for each doubling of the batch.
    const parts = [{ from: 0, to: whole.ref.records }];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const { from, to } = part;
      const batch = to - from === whole.ref.records ? whole : yield* partOf(whole, from, to);
      const outcome = yield* push(batch);
      if (outcome._tag === "Delivered") continue;
      if (outcome._tag === "Deferred" || outcome.reason !== "data") {
        return yield* failedAt(batch.ref, `${describeEnd(outcome, options)}: ${outcome.detail}`);
      }
      if (to - from <= 1) {
        yield* refuse(batch, outcome);
        continue;
      }
      const middle = from + Math.ceil((to - from) / 2);
      parts.push({ from: middle, to }, { from, to: middle });
    }
  });
  return { deliver };
});

const describeEnd = (outcome: Refusal, { policy }: DeliverOptions): string =>
  outcome._tag === "Deferred" ? `${outcome.reason} after ${policy.attemptsMax} attempts` : outcome.reason;

const failedAt = ({ first, last }: { readonly first: number; readonly last: number }, detail: string) =>
  new ReplayFailed({ detail: `Batch ${first}-${last}: ${detail}` });

const noteSetback = (progress: ReplayProgress, { nextAttemptMillis, outcome }: Setback): void => {
  progress.lastError = outcome.detail;
  progress.nextAttemptMillis = nextAttemptMillis;
};

const batchOf = ({ parts, ref }: ClosedBatch, id: string): ReplayBatch => {
  const { body, bodyBytes } = parts.encode();
  return { ref, id, body, bodyBytes };
};

const partOf = Effect.fnUntraced(function* (whole: ReplayBatch, from: number, to: number) {
  const { body, bytes, records } = yield* sliceRecords(whole.body, from, to);
  return {
    ref: { ...whole.ref, records, bytes },
    id: `${whole.id}.${from}-${to}`,
    body: [body],
    bodyBytes: body.length,
  };
});

interface Opened {
  readonly revision: number;
  readonly destination: OpenDestination;
  readonly scope: Scope.Closeable;
}

/** The destination of the job's newest revision; another revision opens another one and closes the one before. */
const latestDestination = Effect.fnUntraced(function* (newest: () => StoredJob | ReplayFailed) {
  const destinations = yield* Destinations;
  let open: Opened | undefined;
  const close = Effect.suspend(() => {
    const { scope } = open ?? {};
    open = undefined;
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void);
  });
  yield* Effect.addFinalizer(() => close);
  return Effect.gen(function* () {
    const stored = newest();
    if (stored instanceof ReplayFailed) return yield* stored;
    if (open?.revision === stored.revision) return open.destination;
    yield* close;
    const scope = yield* Scope.make();
    const destination = yield* Scope.provide(destinations.open(stored.job), scope);
    open = { revision: stored.revision, destination, scope };
    return destination;
  });
});
