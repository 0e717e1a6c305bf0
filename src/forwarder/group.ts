import type { OutboxPiece } from "../actors/ports/outbox.ts";
import type { Pair } from "../domain/partition.ts";

export interface GroupLimits {
  readonly chunkRecordsMax: number;
  readonly chunkRawBytesMax: number;
}

/** A span that has grown to this is sent as it is: copying it to append more would cost more than another piece. */
const copiedSpanBytesMax = 16_384;
const newline = 0x0a;

/** Records of one pair that are not yet in a piece, as spans of the body. */
interface Group {
  readonly pair: Pair;
  records: number;
  /** As stored: one newline per record. */
  bytes: number;
  /** The latest span, `[start, stop)`. */
  start: number;
  stop: number;
  /** Whether the latest span has its last newline in the body. */
  clean: boolean;
  /** Earlier spans, flat: start, stop, and 1 when a newline has to be put after it. */
  earlier: Array<number> | undefined;
}

/**
 * Groups the records of a body by pair, in order, into pieces no larger than a chunk. Records that stand clean and side
 * by side are not copied: their piece is a view of the body. What is scattered, or has another line ending, is copied
 * into one piece per pair, so that the outbox handles pairs and not records.
 */
export class Grouping {
  readonly pieces: Array<OutboxPiece> = [];
  private readonly body: Buffer;
  private readonly limits: GroupLimits;
  private readonly groups = new Map<Pair, Group>();
  private latest: Group | undefined;

  constructor(body: Buffer, limits: GroupLimits) {
    this.body = body;
    this.limits = limits;
  }

  /** The record `[start, end)`; `clean`: its newline is at `end`. */
  add(pair: Pair, start: number, end: number, clean: boolean): void {
    const group = this.latest?.pair === pair ? this.latest : this.groupOf(pair);
    const stop = clean ? end + 1 : end;
    const bytes = end + 1 - start;
    if (
      group.records > 0 &&
      (group.records >= this.limits.chunkRecordsMax || group.bytes + bytes > this.limits.chunkRawBytesMax)
    ) {
      this.emit(group);
    }
    const adjoins = group.records > 0 && clean && group.clean && group.stop === start;
    if (!adjoins && group.records > 0 && group.stop - group.start >= copiedSpanBytesMax) this.emit(group);
    if (adjoins) group.stop = stop;
    else this.beginSpan(group, start, stop, clean);
    group.records += 1;
    group.bytes += bytes;
  }

  /** After the last record. */
  finish(): ReadonlyArray<OutboxPiece> {
    for (const group of this.groups.values()) if (group.records > 0) this.emit(group);
    return this.pieces;
  }

  private groupOf(pair: Pair): Group {
    let group = this.groups.get(pair);
    if (group === undefined) {
      group = { pair, records: 0, bytes: 0, start: 0, stop: 0, clean: true, earlier: undefined };
      this.groups.set(pair, group);
    }
    this.latest = group;
    return group;
  }

  private beginSpan(group: Group, start: number, stop: number, clean: boolean): void {
    if (group.records > 0) (group.earlier ??= []).push(group.start, group.stop, group.clean ? 0 : 1);
    group.start = start;
    group.stop = stop;
    group.clean = clean;
  }

  private emit(group: Group): void {
    const { bytes, clean, earlier, pair, records, start, stop } = group;
    const data = earlier === undefined && clean ? this.body.subarray(start, stop) : this.copied(group, bytes);
    this.pieces.push({ pair, data, records });
    group.records = 0;
    group.bytes = 0;
    group.earlier = undefined;
  }

  private copied({ clean, earlier, start, stop }: Group, bytes: number): Buffer {
    const data = Buffer.allocUnsafe(bytes);
    let to = 0;
    if (earlier !== undefined) {
      for (let i = 0; i < earlier.length; i += 3) {
        to = this.copySpan(data, to, earlier[i]!, earlier[i + 1]!, earlier[i + 2] === 0);
      }
    }
    this.copySpan(data, to, start, stop, clean);
    return data;
  }

  private copySpan(data: Buffer, to: number, start: number, stop: number, clean: boolean): number {
    const after = to + this.body.copy(data, to, start, stop);
    if (clean) return after;
    data[after] = newline;
    return after + 1;
  }
}
