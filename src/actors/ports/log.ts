import { Context, type Effect, Schema } from "effect";

/** Who wrote a LOG message, and what it had written before: from these the reader tells duplicates and gaps. */
export interface Writer {
  /** One run of one forwarder process. */
  readonly incarnation: string;
  /** Running number per incarnation and partition, from 1. */
  readonly number: number;
  /** How many of the numbers just before this one may be absent from the log (keyed writes that had landed before). */
  readonly absent: number;
  /** Records of all earlier messages of this incarnation in this partition. */
  readonly recordsBefore: number;
}

/**
 * A chunk inside a message: `data[from, to)` is one gzip member (plain) or raw records (mux); either is
 * newline-terminated. Not a view of its own: a message of ten thousand customers has a thousand chunks.
 */
export interface Chunk {
  /** `customer.dataset`. */
  readonly pairKey: string;
  readonly records: number;
  /** Uncompressed. */
  readonly bytes: number;
  readonly encoding: "gzip" | "raw";
  readonly data: Buffer;
  readonly from: number;
  readonly to: number;
}

/** One message of a partition's log, decoded. A tick has no writer and no chunks. */
export interface LogMessage {
  readonly sequence: number;
  /** JetStream's time, epoch millis. */
  readonly millis: number;
  readonly writer: Writer | undefined;
  /** Number of the job set that the forwarder accepted it under; 0 where there is none. */
  readonly jobSet: number;
  readonly records: number;
  readonly chunks: ReadonlyArray<Chunk>;
}

export class LogUnavailable extends Schema.TaggedError<LogUnavailable>()("LogUnavailable", {
  operation: Schema.Literals(["read", "tick", "describe", "purge"]),
  detail: Schema.String,
}) {}

/** What the stream itself says of a partition's log. */
export interface LogInfo {
  /** The stream's creation time: another one is another log under the same name. */
  readonly incarnation: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: number;
  /** JetStream time of the oldest message, epoch millis; absent for an empty log, and where nobody needs it. */
  readonly firstMillis?: number | undefined;
  /** The server's own clock when it answered, epoch millis: what it judges ages by. */
  readonly nowMillis?: number | undefined;
}

/** A partition's log, read in sequence and without a filter. */
export class Log extends Context.Service<
  Log,
  {
    /** Messages from `sequence` on, in order, at most `bytesMax` of payload; empty at the end of the log. */
    readonly read: (
      partition: number,
      sequence: number,
      bytesMax: number,
    ) => Effect.Effect<ReadonlyArray<LogMessage>, LogUnavailable>;
    /** Puts a moment into a silent log, so that open batches of the partition can end. */
    readonly tick: (partition: number) => Effect.Effect<void, LogUnavailable>;
    readonly describe: (partition: number) => Effect.Effect<LogInfo, LogUnavailable>;
    /** Frees the space of every message up to and including `sequence`. Sequences are never used again. */
    readonly purge: (partition: number, sequence: number) => Effect.Effect<void, LogUnavailable>;
    /** Completes when this process wrote to the partition, or after `millis`: a hint that saves idle polling. */
    readonly waitForWrite: (partition: number, millis: number) => Effect.Effect<void>;
  }
>()("spillway/actors/ports/Log") {}
