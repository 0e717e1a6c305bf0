import { Context, type Effect, Schema } from "effect";
import type { Books } from "../../domain/books.ts";

/** A push job's row beside its partition's register: all that a buffer needs to continue after a crash. */
export interface Row {
  readonly job: string;
  /** `customer.dataset`. */
  readonly pairKey: string;
  /** The revision under which batches after `cursor` are made. */
  readonly revision: number;
  /** Where the job came in: only what is after this sequence is in the books. */
  readonly start: number;
  /** Everything up to this sequence is settled. */
  readonly cursor: number;
  /** Everything up to this sequence is in `books`. */
  readonly counted: number;
  /** Ends of batches fixed before their push, ascending, at most 4. */
  readonly cuts: ReadonlyArray<number>;
  readonly books: Books;
  /** The actor's persisted snapshot; undefined starts a fresh one. */
  readonly snapshot: unknown;
  /** The job was deleted; its books stay. */
  readonly deleted: boolean;
  readonly lastSuccessMillis: number | undefined;
  readonly lastErrorMillis: number | undefined;
  readonly lastError: string | undefined;
  /** Why the buffer was quarantined. */
  readonly evidence?: CrashEvidence | undefined;
  /** What the destination is to be told, in the first batch after `cursor`. */
  readonly lossMark?: LossMark | undefined;
  /** Of jobs that had this name before, what lies after the scan. */
  readonly former?: ReadonlyArray<FormerLife> | undefined;
}

/** Which chunks of a pair are in the books of a job that is gone: those after `start` up to `counted`. */
export interface FormerLife {
  readonly pairKey: string;
  readonly start: number;
  readonly counted: number;
}

/** What is known of the crash by which a buffer was quarantined. */
export interface CrashEvidence {
  readonly millis: number;
  /** The event during which it crashed, or what was being done. */
  readonly event: string;
  /** One line, no credential, no record. */
  readonly error: string;
  /** The chunk range in the balance, when there was one. */
  readonly firstSequence: number | undefined;
  readonly lastSequence: number | undefined;
  /** Crashes within the window that led to this. */
  readonly crashes: number;
}

/** Records that a destination will not get, told to it in their place. */
export interface LossMark {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly records: number;
  readonly bytes: number;
  readonly reason: ReceiptReason;
  readonly millis: number;
}

/**
 * `expired`: retention was over. `shed`: the backlog was over its quota. `skipped`: a person moved the cursor.
 * `deleted`: the job is gone. `deadLettered`: the destination refused these records. `logLost`: the log is another one.
 * `possiblyDuplicated`: nothing is missing, but the range may have been delivered twice. `refused`: the door turned
 * records away and never accepted them; it belongs to no job, and its range is empty. `unclaimed`: records were
 * accepted for which there is no push job; the job is `_unclaimed`.
 */
export const receiptReasons = [
  "expired",
  "shed",
  "skipped",
  "deleted",
  "deadLettered",
  "refused",
  "possiblyDuplicated",
  "logLost",
  "unclaimed",
] as const;
export type ReceiptReason = (typeof receiptReasons)[number];

/** The account of records that were accepted and not delivered, or that the door refused. */
export interface Receipt {
  readonly customer: string;
  readonly dataset: string;
  readonly job: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly records: number;
  readonly bytes: number;
  readonly reason: ReceiptReason;
  readonly millis: number;
  /** Only with `refused`: these records were never accepted, `job` is `_door`, and `millis` is the last refusal's. */
  readonly refusal?: DoorRefusal;
}

/** A period in which a node's door refused a customer's records. */
export interface DoorRefusal {
  /** Why: the door's own word for it, such as `over-quota`. */
  readonly door: string;
  /** Of the first refusal. */
  readonly fromMillis: number;
  readonly node: string;
}

/** A partition's one register: ownership, and how far the log was read. */
export interface Register {
  readonly owner: string | null;
  readonly epoch: number;
  readonly nonce: string;
  /** Every message up to here was dispatched and is counted in the rows. */
  readonly scan: number;
  /** The LOG stream's creation time. */
  readonly incarnation: string;
  /** The job set's number. */
  readonly snapshot: number;
  /** Per forwarder incarnation: last running number, records up to and including it, and when it was last seen. */
  readonly writers: Readonly<
    Record<string, { readonly number: number; readonly records: number; readonly sequence: number }>
  >;
  /** Sequences after the low-water mark that repeat an earlier message. */
  readonly duplicates: ReadonlyArray<number>;
  readonly lowWater: number;
  /** Chunks without a push job have receipts up to here; where it is missing, up to `scan`. */
  readonly receipted?: number | undefined;
}

/** A later epoch holds the register: this owner must stop at once. */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", { partition: Schema.Int }) {}

export class CheckpointUnavailable extends Schema.TaggedError<CheckpointUnavailable>()("CheckpointUnavailable", {
  partition: Schema.Int,
  detail: Schema.String,
}) {}

/** One write of a partition's state: register and rows, all or nothing, and only by the register's owner. */
export interface Checkpoint {
  readonly register: Register;
  readonly rows: ReadonlyArray<Row>;
  readonly receipts: ReadonlyArray<Receipt>;
}

/** A claimed partition. */
export interface Claim {
  readonly register: Register;
  /** A `RowTable` where there may be many: a partition's rows are never all objects at once. */
  readonly rows: Iterable<Row>;
  /** Jobs whose row does not decode: where they stopped is not known, so they must not be started. */
  readonly damaged: ReadonlySet<string>;
  /** Rows first, in guarded batches; `scan` of the register moves in the last one. One at a time. */
  readonly write: (checkpoint: Checkpoint) => Effect.Effect<void, Fenced | CheckpointUnavailable>;
}

/** The durable state of partitions: rows and register in guarded atomic batches. */
export class Checkpoints extends Context.Service<
  Checkpoints,
  {
    /** Takes the partition over (epoch + 1, compare-and-set) and reads its rows. */
    readonly claim: (
      partition: number,
      owner: string,
      log: { readonly incarnation: string; readonly lastSequence: number },
    ) => Effect.Effect<Claim, Fenced | CheckpointUnavailable>;
    /** The register alone, as the leader has it; undefined: there is none. */
    readonly register: (partition: number) => Effect.Effect<Register | undefined, CheckpointUnavailable>;
    /** Rows and receipts as stored, whoever owns the partition. */
    readonly inspect: (partition: number) => Effect.Effect<
      {
        readonly register: Register | undefined;
        readonly rows: ReadonlyArray<Row>;
        readonly receipts: ReadonlyArray<Receipt>;
      },
      CheckpointUnavailable
    >;
  }
>()("spillway/actors/ports/Checkpoints") {}
