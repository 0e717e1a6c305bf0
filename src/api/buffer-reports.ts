import { Schema } from "effect";
import { receiptReasons } from "../actors/ports/checkpoints.ts";
import { JobBooks, TallyReport } from "./reports.ts";

/** What a node says about its buffers. Plain JSON: records and uncompressed bytes, epoch milliseconds. */

const Millis = Schema.NullOr(Schema.Finite);

/** What `?state=` takes: a delivery or flow state, `overloaded` for both of its kinds, or one of the last four. */
export const bufferStates = [
  "idle",
  "filling",
  "pushing",
  "backingOff",
  "suspended",
  "bisecting",
  "deadLettering",
  "quarantined",
  "draining",
  "live",
  "backpressured",
  "overloaded",
  "overloaded.refuse",
  "overloaded.shedOldest",
  "disabled",
  "restarting",
  "hibernated",
  "waiting",
] as const;
export const BufferState = Schema.Literals(bufferStates);
export const FlowState = Schema.Literals([
  "live",
  "backpressured",
  "overloaded",
  "overloaded.refuse",
  "overloaded.shedOldest",
]);

/** One line of a list. */
export const BufferSummary = Schema.Struct({
  job: Schema.String,
  customer: Schema.String,
  dataset: Schema.String,
  partition: Schema.Int,
  enabled: Schema.Boolean,
  /** Null while the buffer has no actor. */
  flow: Schema.NullOr(Schema.String),
  /**
   * `restarting` between a crash and the next start; `hibernated` without one until its next record comes; `waiting`
   * with a backlog and without a place in memory yet.
   */
  delivery: Schema.String,
  /** In memory, with an actor of its own. */
  resident: Schema.Boolean,
  /** Accepted and not settled. */
  backlogRecords: Schema.Int,
  backlogBytes: Schema.Int,
  /** Age of the oldest record that is not settled; 0 without a backlog. */
  lagMillis: Schema.Finite,
  windowBytes: Schema.Int,
  /** In a row; a delivery ends the row. */
  crashes: Schema.Int,
  /** Failed attempts of the batch in the balance. */
  attempts: Schema.Int,
  lastSuccessMillis: Millis,
  lastErrorMillis: Millis,
  lastError: Schema.NullOr(Schema.String),
});
export type BufferSummary = typeof BufferSummary.Type;

export const BufferPage = Schema.Struct({
  buffers: Schema.Array(BufferSummary),
  /** The `after` of the next page; absent on the last one. */
  next: Schema.optionalKey(Schema.String),
});
export type BufferPage = typeof BufferPage.Type;

const Sequence = Schema.Int;

/** Everything that is known of one buffer. */
export const BufferReport = Schema.Struct({
  ...BufferSummary.fields,
  /** Everything up to this sequence of the log is settled. */
  cursor: Sequence,
  /** Everything up to this sequence is in the books. */
  counted: Sequence,
  /** While `reread`: everything up to this sequence has been read again. */
  fedTo: Sequence,
  /** It fell behind what is read live: the sweep feeds it from the log. */
  reread: Schema.Boolean,
  /** The batch that is pushed, or that waits for its next attempt. */
  batch: Schema.NullOr(
    Schema.Struct({
      first: Sequence,
      last: Sequence,
      records: Schema.Int,
      bytes: Schema.Int,
      endMillis: Schema.Finite,
    }),
  ),
  /** Records of that batch that are tried next, 0-based, `to` excluded, while it is taken apart; null: all of it. */
  part: Schema.NullOr(Schema.Struct({ from: Schema.Int, to: Schema.Int })),
  /** Not before; null while nothing waits. */
  retryAtMillis: Millis,
  /** Why the batch is not delivered, while its buffer is suspended. */
  refusal: Schema.NullOr(
    Schema.Struct({ reason: Schema.String, detail: Schema.String, status: Schema.NullOr(Schema.Int) }),
  ),
  books: JobBooks,
  /** accepted − all the other accounts: anything but 0 is a bug. */
  unexplained: TallyReport,
  /** Of the job: as stored, and under which batches are made now. */
  revisions: Schema.Struct({ newest: Schema.Int, effective: Schema.Int }),
  /** Why it was quarantined; null while it is not. */
  evidence: Schema.NullOr(
    Schema.Struct({
      millis: Schema.Finite,
      event: Schema.String,
      error: Schema.String,
      firstSequence: Schema.NullOr(Sequence),
      lastSequence: Schema.NullOr(Sequence),
      crashes: Schema.Int,
    }),
  ),
  /** What the destination is to be told with the next batch. */
  lossMark: Schema.NullOr(
    Schema.Struct({
      firstSequence: Sequence,
      lastSequence: Sequence,
      records: Schema.Int,
      bytes: Schema.Int,
      reason: Schema.String,
      millis: Schema.Finite,
    }),
  ),
  /** The last transitions, oldest first. */
  recent: Schema.Array(
    Schema.Struct({ millis: Schema.Finite, event: Schema.String, flow: Schema.String, delivery: Schema.String }),
  ),
});
export type BufferReport = typeof BufferReport.Type;

export const ReceiptReasonName = Schema.Literals(receiptReasons);

/** The account of records that were accepted and not delivered. */
export const ReceiptReport = Schema.Struct({
  partition: Schema.Int,
  customer: Schema.String,
  dataset: Schema.String,
  job: Schema.String,
  firstSequence: Sequence,
  lastSequence: Sequence,
  records: Schema.Int,
  bytes: Schema.Int,
  reason: Schema.String,
  millis: Schema.Finite,
  /** Of records that the door refused: why, from when on (until `millis`), and which node. They were never accepted. */
  refusal: Schema.optionalKey(Schema.Struct({ door: Schema.String, fromMillis: Schema.Finite, node: Schema.String })),
});
export type ReceiptReport = typeof ReceiptReport.Type;
