import { Schema } from "effect";
import { Dataset } from "../domain/dataset.ts";

/** What a node answers about itself. Records and uncompressed bytes everywhere. */

export const TallyReport = Schema.Struct({ records: Schema.Int, bytes: Schema.Int });

export const JobBooks = Schema.Struct({
  accepted: TallyReport,
  delivered: TallyReport,
  filtered: TallyReport,
  sampled: TallyReport,
  expired: TallyReport,
  shed: TallyReport,
  deadLettered: TallyReport,
  pending: TallyReport,
});

/** The books of one push job and where it stands. */
export const JobReport = Schema.Struct({
  job: Schema.String,
  customer: Schema.String,
  dataset: Schema.String,
  /** The buffer's state (`idle`, `filling`, `pushing`, …), `restarting` or `disabled`. */
  state: Schema.String,
  books: JobBooks,
  /** accepted − all the other accounts: anything but 0 is a bug. */
  unexplained: TallyReport,
  /** Records between the cursor and the head of the log. */
  backlogRecords: Schema.Int,
  /** Age of the oldest record that is not settled; 0 without a backlog. */
  lagMillis: Schema.Finite,
  lastSuccessMillis: Schema.NullOr(Schema.Finite),
  lastErrorMillis: Schema.NullOr(Schema.Finite),
  lastError: Schema.NullOr(Schema.String),
});
export type JobReport = typeof JobReport.Type;

/** What the forwarder did with the records of one dataset since this node started, in records. */
export const DoorReport = Schema.Struct({
  dataset: Schema.String,
  accepted: Schema.Int,
  refused: Schema.Int,
  unconfigured: Schema.Int,
});
export type DoorReport = typeof DoorReport.Type;

export const BooksReport = Schema.Struct({
  /** One page of them, by id. */
  jobs: Schema.Array(JobReport),
  /** Of all jobs, whichever page this is. */
  totals: Schema.Struct({ books: JobBooks, unexplained: TallyReport, backlogRecords: Schema.Int }),
  door: Schema.Array(DoorReport),
  /** The `after` of the next page; absent on the last one. */
  next: Schema.optionalKey(Schema.String),
});
export type BooksReport = typeof BooksReport.Type;

/** A recount of the log beside what the books say. */
export const AuditReport = Schema.Struct({
  jobs: Schema.Array(
    Schema.Struct({
      job: Schema.String,
      recountedAccepted: TallyReport,
      bookAccepted: TallyReport,
      difference: TallyReport,
      /** What the recount could not see (purged or expired log), for people; empty when it saw everything. */
      horizon: Schema.String,
    }),
  ),
});
export type AuditReport = typeof AuditReport.Type;

export const ReadinessCheck = Schema.Struct({ name: Schema.String, ready: Schema.Boolean, detail: Schema.String });
export type ReadinessCheck = typeof ReadinessCheck.Type;

export const LimitReport = Schema.Struct({
  name: Schema.String,
  value: Schema.Finite,
  /** As shipped. */
  default: Schema.optionalKey(Schema.Finite),
  /** `bytes`, `ms`, `s`, `%`, `count`, …: as the name says. */
  unit: Schema.String,
  /** How much of it is in use now; absent where it is not measured. */
  usage: Schema.optionalKey(Schema.Finite),
  /** The most of it that was in use since the node started, as far as it was seen; absent where `usage` is. */
  highWater: Schema.optionalKey(Schema.Finite),
  /** When a drill last drove the system into it; null: never; absent: not known now. */
  exercised: Schema.optionalKey(Schema.NullOr(Schema.Struct({ drill: Schema.String, millis: Schema.Finite }))),
});
export type LimitReport = typeof LimitReport.Type;

export const VersionReport = Schema.Struct({
  spillway: Schema.String,
  node: Schema.String,
  natsServer: Schema.optionalKey(Schema.String),
});

/** The catalogue of datasets that is in force on a node; `number` is its configuration's, 0 without one. */
export const DatasetsReport = Schema.Struct({ number: Schema.Int, datasets: Schema.Array(Dataset) });
export type DatasetsReport = typeof DatasetsReport.Type;
