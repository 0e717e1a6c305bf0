import { Context, type Effect, Schema } from "effect";
import type { Pair } from "../../domain/partition.ts";

/**
 * Records of one body on their way into the log, as columns: a body of a thousand customers has a thousand spans, and
 * an object for each would cost more than its records. Span `i` is `body[starts[i], stops[i])`: `records[i]`
 * consecutive records of `pairs[i]`, newline-terminated.
 */
export interface RecordSpans {
  /** Not copied and not changed before the write is durable: the caller must not reuse the memory. */
  readonly body: Buffer;
  readonly pairs: ReadonlyArray<Pair>;
  readonly starts: ReadonlyArray<number>;
  readonly stops: ReadonlyArray<number>;
  readonly records: ReadonlyArray<number>;
  /** Of all spans. */
  readonly bytes: number;
}

/** The outbox holds as many bytes as it may: the producer is asked to come again. Nothing was taken. */
export class OutboxFull extends Schema.TaggedError<OutboxFull>()("OutboxFull", {
  retryAfterSeconds: Schema.Int,
}) {}

/**
 * The durable ack did not come in time. The records stay in the outbox and may be stored later, so a repeated request
 * is safe from duplicates only with an idempotency key.
 */
export class AckTimeout extends Schema.TaggedError<AckTimeout>()("AckTimeout", {
  retryAfterSeconds: Schema.Int,
}) {}

/**
 * Some of the records are of pairs that no push job in force wants, whatever the caller believes. Nothing was taken:
 * the caller looks its pairs up once more, and comes with the rest.
 */
export class NotServed extends Schema.TaggedError<NotServed>()("NotServed", {}) {}

/** The way into the log: bounded in bytes, one write in flight per partition, in order per pair. */
export class Outbox extends Context.Service<
  Outbox,
  {
    /**
     * Completes once every record is durable in the log. Interrupting the caller does not recall what was taken.
     *
     * A keyed write forms its own messages; the same key with the same spans within two minutes is a no-op that
     * succeeds.
     */
    readonly write: (
      spans: RecordSpans,
      idempotencyKey: string | undefined,
    ) => Effect.Effect<void, OutboxFull | AckTimeout | NotServed>;
    readonly bytes: () => number;
  }
>()("spillway/actors/ports/Outbox") {}
