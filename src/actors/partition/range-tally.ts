import type { Tally } from "../../domain/books.ts";

/**
 * Chunk headers of one job after a sequence, so that the part after any later sequence can be told. With limited
 * memory: the oldest are added up, and then only the whole, or the part after them, is known.
 */
export class RangeTally {
  /** Only what is after this is counted. */
  readonly from: number;
  bytes = 0;
  private records = 0;
  private summedTo: number;
  private summed = { records: 0, bytes: 0 };
  private entries: Array<{ readonly sequence: number; readonly records: number; readonly bytes: number }> = [];

  constructor(from: number) {
    this.from = from;
    this.summedTo = from;
  }

  add(sequence: number, records: number, bytes: number, entriesMax: number): void {
    this.records += records;
    this.bytes += bytes;
    this.entries.push({ sequence, records, bytes });
    if (this.entries.length <= entriesMax) return;
    const old = this.entries.splice(0, Math.ceil(entriesMax / 2));
    this.summedTo = old.at(-1)!.sequence;
    for (const entry of old) {
      this.summed.records += entry.records;
      this.summed.bytes += entry.bytes;
    }
  }

  /** Of what is after the sequence; undefined when that lies in the part that was added up. */
  after(sequence: number): Tally | undefined {
    if (sequence <= this.from) return { records: this.records, bytes: this.bytes };
    if (sequence < this.summedTo) return undefined;
    const left = this.entries.filter((entry) => entry.sequence > sequence);
    return left.reduce((sum, { bytes, records }) => ({ records: sum.records + records, bytes: sum.bytes + bytes }), {
      records: 0,
      bytes: 0,
    });
  }
}
