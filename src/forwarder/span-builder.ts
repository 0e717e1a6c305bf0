import type { RecordSpans } from "../actors/ports/outbox.ts";
import type { Pair } from "../domain/partition.ts";

export interface SpanLimits {
  readonly chunkRecordsMax: number;
  readonly chunkRawBytesMax: number;
}

/**
 * Collects the records of a body that will be stored. Neighbours of one pair are one span, no larger than a chunk;
 * nothing is copied. One record may be larger than a chunk, alone.
 */
export class SpanBuilder implements RecordSpans {
  readonly body: Buffer;
  readonly pairs: Array<Pair> = [];
  readonly starts: Array<number> = [];
  readonly stops: Array<number> = [];
  readonly records: Array<number> = [];
  bytes = 0;
  private readonly limits: SpanLimits;

  constructor(body: Buffer, limits: SpanLimits) {
    this.body = body;
    this.limits = limits;
  }

  /** The record `[start, stop)`, its newline included. */
  add(pair: Pair, start: number, stop: number): void {
    const last = this.pairs.length - 1;
    this.bytes += stop - start;
    if (
      last >= 0 &&
      this.stops[last] === start &&
      this.pairs[last] === pair &&
      this.records[last]! < this.limits.chunkRecordsMax &&
      stop - this.starts[last]! <= this.limits.chunkRawBytesMax
    ) {
      this.stops[last] = stop;
      this.records[last]! += 1;
      return;
    }
    this.pairs.push(pair);
    this.starts.push(start);
    this.stops.push(stop);
    this.records.push(1);
  }
}
