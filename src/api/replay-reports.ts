import { Schema } from "effect";

/** One replay, while it runs and after it. */
export const ReplayShown = Schema.Struct({
  id: Schema.String,
  job: Schema.String,
  customer: Schema.String,
  dataset: Schema.String,
  partition: Schema.Int,
  state: Schema.Literals(["running", "done", "failed", "cancelled"]),
  /** Sequences of the log, both ends included. */
  from: Schema.Int,
  to: Schema.Int,
  /** Everything up to here was pushed: to go on, begin with the next one, under the same id. */
  sequence: Schema.Int,
  percent: Schema.Int,
  records: Schema.Int,
  /** Uncompressed. */
  bytes: Schema.Int,
  batches: Schema.Int,
  /** Refused by the destination one by one, and passed over. */
  recordsRefused: Schema.Int,
  warnings: Schema.Array(Schema.String),
  startedMillis: Schema.Finite,
  endedMillis: Schema.NullOr(Schema.Finite),
  lastError: Schema.NullOr(Schema.String),
  nextAttemptMillis: Schema.NullOr(Schema.Finite),
});
export type ReplayShown = typeof ReplayShown.Type;

/** A sequence of the log, or a time such as `2026-11-23T07:00:00Z`. */
export const ReplayBoundInput = Schema.Union([Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), Schema.String]);
export type ReplayBoundInput = typeof ReplayBoundInput.Type;

export const ReplayInput = Schema.Struct({
  from: ReplayBoundInput,
  /** The end, included if it is a sequence, excluded if it is a time. What was delivered before, when absent. */
  to: Schema.optionalKey(ReplayBoundInput),
  /** An id for the replay: begun again under the same one, it pushes the same ranges under the same batch ids. */
  id: Schema.optionalKey(Schema.String),
});
export type ReplayInput = typeof ReplayInput.Type;
