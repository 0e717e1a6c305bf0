import { Effect, Schema } from "effect";
import type { Buffer } from "../buffer/buffer.ts";
import type { Receipt } from "../ports/checkpoints.ts";
import { Log, type LogUnavailable } from "../ports/log.ts";
import type { PartitionState } from "./partition-state.ts";
import { lastSequenceBefore } from "./sequence-at.ts";
import { writeOff, type WriteOffOptions } from "./write-off.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";

/** Where delivery goes on: after all that is there now, at a time (JetStream's, epoch millis), or at a sequence. */
export type SkipTo = "now" | { readonly millis: number } | { readonly sequence: number };

/** The cursor cannot be moved there, or not now; nothing was changed. */
export class CannotSkip extends Schema.TaggedError<CannotSkip>()("CannotSkip", {
  job: Schema.String,
  reason: Schema.String,
}) {}

/** An attempt in flight is waited for this long. */
const patience = { millis: 10_000, stepMillis: 50 };

/**
 * A person gives up the oldest part of a job's backlog: the cursor moves forward, and what it passes is settled as shed
 * with a receipt. Backward it never moves: that is what a replay is for.
 *
 * @returns the receipt, durable with the next checkpoint; undefined when nothing that was pending was passed
 */
export const skipTo = Effect.fnUntraced(function* (
  state: PartitionState,
  buffer: Buffer,
  to: SkipTo,
  options: WriteOffOptions,
): Effect.fn.Return<Receipt | undefined, LogUnavailable | CannotSkip, Log> {
  const job = buffer.jobId;
  const last = yield* sequenceOf(state, buffer, to);
  if (last > state.position) return yield* new CannotSkip({ job, reason: `the log was read up to ${state.position}` });
  if (last < buffer.cursor) {
    return yield* new CannotSkip({ job, reason: `it is settled up to ${buffer.cursor} already` });
  }
  const target = { buffer, to: last, account: "shed", reason: "skipped" } as const;
  const deadline = (yield* steadyMillis) + patience.millis;
  while (buffer.ledger.pendingRecords > 0 && buffer.cursor < last) {
    const [receipt] = yield* writeOff(state, [target], options);
    if (receipt !== undefined || buffer.cursor >= last) return receipt;
    if ((yield* steadyMillis) >= deadline) {
      return yield* new CannotSkip({ job, reason: "an attempt is in flight; try again, or disable the job first" });
    }
    yield* Effect.sleep(patience.stepMillis);
  }
  return undefined;
});

/** The last sequence that is passed. */
const sequenceOf = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer, to: SkipTo) {
  if (to === "now") return state.position;
  if ("sequence" in to) return to.sequence - 1;
  const { firstSequence } = yield* (yield* Log).describe(state.partition);
  const from = Math.max(buffer.cursor + 1, firstSequence);
  return from > state.position
    ? state.position
    : yield* lastSequenceBefore(state.partition, to.millis, from, state.position);
});
