import { Effect, Schema } from "effect";
import type { Buffer } from "../buffer/buffer.ts";
import { sequenceAt } from "../partition/sequence-at.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import { Log, type LogUnavailable } from "../ports/log.ts";

/** Where a replay begins or ends: a sequence of the log, or a JetStream time, epoch millis. */
export type ReplayBound = { readonly sequence: number } | { readonly millis: number };

/** A replay that was not begun. */
export class ReplayRefused extends Schema.TaggedError<ReplayRefused>()("ReplayRefused", {
  reason: Schema.Literals(["job-not-found", "disabled", "not-owned", "empty-range", "too-many", "name-taken"]),
  /** One line: what is in the way and what to do. */
  detail: Schema.String,
}) {}

export interface ReplayRange {
  readonly from: number;
  readonly to: number;
  readonly warnings: ReadonlyArray<string>;
}

/**
 * The range in sequences, both ends included, cut to what the log has and what the owner has seen. Without an end it is
 * what the live delivery has settled: the rest is on its way anyway, and would arrive twice.
 */
export const replayRange = Effect.fnUntraced(function* (
  state: PartitionState,
  buffer: Buffer,
  from: ReplayBound,
  to: ReplayBound | undefined,
): Effect.fn.Return<ReplayRange, ReplayRefused | LogUnavailable, Log> {
  const log = yield* Log;
  const { firstSequence } = yield* log.describe(state.partition);
  const wanted = "sequence" in from ? from.sequence : yield* sequenceAt(state.partition, from.millis);
  const first = Math.max(wanted, firstSequence);
  const last = yield* endOf(state, buffer, to);
  const warnings: Array<string> = [];
  if (wanted < firstSequence || ("millis" in from && wanted === firstSequence && firstSequence > 1)) {
    warnings.push(`The log begins at sequence ${firstSequence}: what is before it has expired and cannot be replayed.`);
  }
  if (last.warning !== undefined) warnings.push(last.warning);
  if (first > last.sequence) {
    return yield* new ReplayRefused({
      reason: "empty-range",
      detail: `There is nothing to replay: the range would be ${first} to ${last.sequence}, and the log begins at ${firstSequence}.`,
    });
  }
  return { from: first, to: last.sequence, warnings };
});

const endOf = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer, to: ReplayBound | undefined) {
  // With nothing pending the effective cursor is where the reader is.
  const settled = buffer.ledger.pendingRecords > 0 ? buffer.cursor : state.position;
  if (to === undefined) {
    const warning =
      settled < state.position
        ? `What is after sequence ${settled} is not delivered yet: the live delivery brings it.`
        : undefined;
    return { sequence: settled, warning };
  }
  const sequence = "sequence" in to ? to.sequence : (yield* sequenceAt(state.partition, to.millis)) - 1;
  if (sequence <= state.position) {
    const warning =
      sequence > settled
        ? `What is after sequence ${settled} is not delivered yet: it will arrive by the live delivery as well.`
        : undefined;
    return { sequence, warning };
  }
  return {
    sequence: state.position,
    warning: `The range ends at ${state.position}: that is where the log is read up to.`,
  };
});
