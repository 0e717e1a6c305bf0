import { type Context, Effect } from "effect";
import type { PushReport } from "../../domain/push-attempt.ts";
import { pushBytesTo, pushesOf, pushSecondsTo, recordsDeliveredTo } from "../../observability/delivery-metrics.ts";
import type { Buffer } from "./buffer.ts";

/** Without an effect each: there are thousands of pushes a second. */
export const measurePush = (buffer: Buffer, { answer }: PushReport, context: Context.Context<never>): void => {
  const { kind } = buffer.effective.job.destination;
  pushesOf(kind, answer.outcome).updateUnsafe(1, context);
  pushSecondsTo(kind).updateUnsafe(answer.durationMillis / 1_000, context);
  if (answer.outcome._tag !== "Delivered") return;
  recordsDeliveredTo(kind).updateUnsafe(answer.written.records, context);
  pushBytesTo(kind).updateUnsafe(answer.bodyBytes, context);
};

/** One canonical line per push. */
export const logPush = (
  buffer: Buffer,
  { answer, attempt, batch, nextDelayMillis }: PushReport,
): Effect.Effect<void> => {
  const { job } = buffer.effective;
  const { outcome } = answer;
  const line = {
    customer: job.customer,
    dataset: job.dataset,
    job: job.id,
    destination: job.destination.kind,
    batch: `${batch.first}-${batch.last}`,
    attempt,
    outcome: outcome._tag,
    ...(outcome._tag === "Delivered" ? {} : { reason: outcome.reason, detail: outcome.detail }),
    status: outcome.status,
    records: answer.written.records,
    bytes: answer.written.bytes,
    bodyBytes: answer.bodyBytes,
    closedBy: batch.closedBy,
    durationMillis: answer.durationMillis,
    nextDelayMillis,
  };
  if (outcome._tag === "Delivered") return Effect.logInfo("Batch pushed.", line);
  // A switch may hold a million jobs, each of which looks again and again: that it is on is said once, elsewhere.
  if (outcome._tag === "Deferred" && outcome.reason === "switched-off") return Effect.logDebug("Push held.", line);
  return Effect.logWarning("Push failed.", line);
};
