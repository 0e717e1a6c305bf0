import type { OutboxPiece } from "../actors/ports/outbox.ts";
import type { Pair } from "../domain/partition.ts";

/** Counts down the chunks that one request waits for. */
export interface Latch {
  remaining: number;
  readonly done: () => void;
}

/** Consecutive records of one pair, on their way into one chunk. */
export interface Gathered {
  readonly pair: Pair;
  readonly data: Array<Uint8Array>;
  records: number;
  bytes: number;
  /** One entry per request that has records here. */
  readonly latches: Array<Latch>;
}

export interface GatherLimits {
  readonly chunkRecordsMax: number;
  readonly chunkRawBytesMax: number;
  readonly plainChunkRawBytesMin: number;
  readonly muxRawBytesMax: number;
  readonly outboxWriteBytesMax: number;
  readonly outboxWriteMessagesMax: number;
}

/** What one LOG message will hold: a plain chunk, or several chunks of different pairs. */
export type Planned =
  | { readonly kind: "plain"; readonly chunk: Gathered }
  | { readonly kind: "mux"; readonly chunks: ReadonlyArray<Gathered> };

/**
 * What gathers for a partition while its one write is in flight: that is the linger. Pure data: pieces go in, a plan of
 * messages comes out, in order per pair.
 */
export class Gather {
  private readonly limits: GatherLimits;
  /** Full chunks, oldest first; they precede what is open of their pair. */
  private readonly full: Array<Gathered> = [];
  private readonly open = new Map<string, Gathered>();

  constructor(limits: GatherLimits) {
    this.limits = limits;
  }

  isEmpty(): boolean {
    return this.full.length === 0 && this.open.size === 0;
  }

  add({ data, pair, records }: OutboxPiece, latch: Latch): void {
    let chunk = this.open.get(pair.key);
    if (
      chunk !== undefined &&
      (chunk.records + records > this.limits.chunkRecordsMax ||
        chunk.bytes + data.length > this.limits.chunkRawBytesMax)
    ) {
      this.full.push(chunk);
      this.open.delete(pair.key);
      chunk = undefined;
    }
    if (chunk === undefined) {
      chunk = { pair, data: [], records: 0, bytes: 0, latches: [] };
      this.open.set(pair.key, chunk);
    }
    chunk.data.push(data);
    chunk.records += records;
    chunk.bytes += data.length;
    if (chunk.latches.at(-1) !== latch) {
      chunk.latches.push(latch);
      latch.remaining += 1;
    }
  }

  /** The next write, bounded in messages and raw bytes. Full chunks first; open ones only when no full one is left. */
  take(): ReadonlyArray<Planned> {
    const { muxRawBytesMax, outboxWriteBytesMax, outboxWriteMessagesMax, plainChunkRawBytesMin } = this.limits;
    const plan: Array<Planned> = [];
    let bytes = 0;
    // The first chunk always fits: one that is larger than a write should be travels alone.
    const fits = (more: number, messages: number) =>
      plan.length === 0 || (plan.length + messages <= outboxWriteMessagesMax && bytes + more <= outboxWriteBytesMax);
    while (this.full.length > 0 && fits(this.full[0]!.bytes, 1)) {
      const chunk = this.full.shift()!;
      bytes += chunk.bytes;
      plan.push({ kind: "plain", chunk });
    }
    if (this.full.length > 0) return plan;
    // Small chunks in as few messages as their raw size allows; each pair occurs once.
    let mux: Array<Gathered> = [];
    let muxBytes = Number.POSITIVE_INFINITY;
    for (const chunk of this.open.values()) {
      const isSmall = chunk.bytes < plainChunkRawBytesMin;
      const joins = isSmall && muxBytes + chunk.bytes <= muxRawBytesMax;
      if (!fits(chunk.bytes, joins ? 0 : 1)) break;
      this.open.delete(chunk.pair.key);
      bytes += chunk.bytes;
      if (joins) {
        mux.push(chunk);
        muxBytes += chunk.bytes;
      } else if (isSmall) {
        mux = [chunk];
        muxBytes = chunk.bytes;
        plan.push({ kind: "mux", chunks: mux });
      } else plan.push({ kind: "plain", chunk });
    }
    return plan;
  }
}
