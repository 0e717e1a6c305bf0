import type { OutboxPiece } from "../actors/ports/outbox.ts";
import type { Pair } from "../domain/partition.ts";

export interface GroupLimits {
  readonly chunkRecordsMax: number;
  readonly chunkRawBytesMax: number;
}

interface Run {
  readonly start: number;
  /** Exclusive, newline included. */
  end: number;
  records: number;
}

/**
 * Cuts a body into pieces of consecutive records of one pair. Records that stand clean in the body are not copied: a
 * run of them is a view. A record with another line ending, or none, becomes a piece of its own.
 */
export class Grouping {
  readonly pieces: Array<OutboxPiece> = [];
  private readonly body: Buffer;
  private readonly limits: GroupLimits;
  private pair: Pair | undefined;
  private run: Run | undefined;

  constructor(body: Buffer, limits: GroupLimits) {
    this.body = body;
    this.limits = limits;
  }

  add(pair: Pair, start: number, end: number, clean: boolean): void {
    const run = this.run;
    if (!clean) {
      this.flush();
      this.pieces.push({ pair, data: Buffer.concat([this.body.subarray(start, end), newline]), records: 1 });
      return;
    }
    const extends_ =
      run !== undefined &&
      this.pair === pair &&
      run.end === start &&
      run.records < this.limits.chunkRecordsMax &&
      end + 1 - run.start <= this.limits.chunkRawBytesMax;
    if (extends_) {
      run.end = end + 1;
      run.records += 1;
      return;
    }
    this.flush();
    this.pair = pair;
    this.run = { start, end: end + 1, records: 1 };
  }

  flush(): void {
    if (this.run === undefined || this.pair === undefined) return;
    const { end, records, start } = this.run;
    this.pieces.push({ pair: this.pair, data: this.body.subarray(start, end), records });
    this.run = undefined;
  }
}

const newline = Buffer.from("\n");
