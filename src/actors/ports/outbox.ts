import { Context, type Effect, Schema } from "effect";
import type { Pair } from "../../domain/partition.ts";

/** Consecutive records of one pair, newline-terminated, as they came. The outbox groups pieces into chunks. */
export interface OutboxPiece {
  readonly pair: Pair;
  /** Not copied and not changed before the write is durable: the caller must not reuse the memory. */
  readonly data: Uint8Array;
  readonly records: number;
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

/** The way into the log: bounded in bytes, one write in flight per partition, in order per pair. */
export class Outbox extends Context.Service<
  Outbox,
  {
    /**
     * Completes once every piece is durable in the log. Interrupting the caller does not recall what was taken.
     *
     * A keyed write forms its own messages; the same key with the same pieces within two minutes is a no-op that
     * succeeds.
     */
    readonly write: (
      pieces: ReadonlyArray<OutboxPiece>,
      idempotencyKey: string | undefined,
    ) => Effect.Effect<void, OutboxFull | AckTimeout>;
    readonly bytes: () => number;
  }
>()("spillway/actors/ports/Outbox") {}
