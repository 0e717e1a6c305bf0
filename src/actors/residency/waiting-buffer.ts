import type { Books } from "../../domain/books.ts";
import { Ledger } from "../buffer/ledger.ts";
import type { Row } from "../ports/checkpoints.ts";
import type { Chunk } from "../ports/log.ts";

/** What was counted and is in no row that was written. */
interface Uncounted {
  /** The first sequence of it. */
  readonly first: number;
  /** JetStream time of that. */
  readonly millis: number;
  readonly records: number;
  readonly bytes: number;
}

/**
 * A buffer without a place: its chunks are counted as they come and nothing else of it is in memory, no window and no
 * actor. What it missed is read again from the log once it has a place.
 *
 * The books of a job must not wait for its buffer: `accepted` and `pending` rise when the log is scanned (I5).
 */
export class WaitingBuffer {
  readonly jobId: string;
  readonly pairKey: string;
  readonly start: number;
  /** Nobody feeds it. */
  readonly live = false;
  /** As it was last written, or is being written. */
  private row: Row;
  /** Whether the store has a row of it; a new job has none before its first checkpoint. */
  private stored: boolean;
  private uncounted: Uncounted | undefined;
  private readonly ledger: Ledger;
  private cursor: number;
  private readonly position: () => number;
  private rereadAfter: number;
  private urgent = false;
  private sinceMillis: number | undefined;

  /** @param stored whether `row` is durable, or only says where a new job begins */
  constructor(row: Row, stored: boolean, position: () => number) {
    this.jobId = row.job;
    this.pairKey = row.pairKey;
    this.start = row.start;
    this.row = row;
    this.stored = stored;
    this.position = position;
    this.ledger = new Ledger(row.books);
    this.cursor = row.cursor;
    this.rereadAfter = stored && this.ledger.pendingRecords > 0 ? row.cursor : Number.MAX_SAFE_INTEGER;
  }

  /** A chunk header was scanned. */
  count(sequence: number, millis: number, { bytes, records }: Pick<Chunk, "records" | "bytes">): void {
    if (sequence <= this.row.counted) return;
    if (this.ledger.pendingRecords === 0) {
      this.cursor = Math.max(this.cursor, sequence - 1);
      this.sinceMillis = millis;
    }
    this.ledger.accept(records, bytes);
    const before = this.uncounted;
    this.uncounted =
      before === undefined
        ? { first: sequence, millis, records, bytes }
        : { ...before, records: before.records + records, bytes: before.bytes + bytes };
  }

  books(): Books {
    return this.ledger.books();
  }

  get pendingBytes(): number {
    return this.ledger.pendingBytes;
  }

  /** JetStream time of its oldest record, epoch millis; undefined without one, or when a row alone tells of it. */
  get pendingSinceMillis(): number | undefined {
    return this.ledger.pendingRecords === 0 ? undefined : this.sinceMillis;
  }

  /** What a buffer is made of: its durable row, if there is one, and what was counted since. */
  origin(): { readonly row: Row | undefined; readonly start: number; readonly uncounted: Uncounted | undefined } {
    return { row: this.stored ? this.row : undefined, start: this.start, uncounted: this.uncounted };
  }

  /** The row as of now, whether or not it is durable. */
  rowNow(deleted = false): Row {
    const counted = Math.max(this.row.counted, this.position());
    return { ...this.row, cursor: this.cursor, counted, books: this.ledger.books(), deleted };
  }

  // --- checkpoints: as a buffer's ---

  beUrgent(): void {
    this.urgent = true;
  }

  dirtiness(): "clean" | "counted" | "urgent" {
    if (this.urgent) return "urgent";
    return this.uncounted === undefined && this.stored ? "clean" : "counted";
  }

  scanBound(): number {
    return this.uncounted === undefined ? Number.MAX_SAFE_INTEGER : this.uncounted.first - 1;
  }

  lowWaterBound(): number {
    return this.rereadAfter;
  }

  writeRow(): { readonly row: Row; readonly landed: () => void; readonly failed: () => void } {
    const { rereadAfter, row: rowBefore, uncounted, urgent } = this;
    const row = this.rowNow();
    this.rereadAfter = this.ledger.pendingRecords > 0 ? this.cursor : Number.MAX_SAFE_INTEGER;
    this.row = row;
    this.uncounted = undefined;
    this.urgent = false;
    return {
      row,
      landed: () => {
        this.stored = true;
      },
      failed: () => {
        this.row = rowBefore;
        this.uncounted = together(uncounted, this.uncounted);
        this.urgent ||= urgent;
        // It may have landed all the same.
        this.rereadAfter = Math.min(this.rereadAfter, rereadAfter);
      },
    };
  }
}

const together = (earlier: Uncounted | undefined, later: Uncounted | undefined): Uncounted | undefined => {
  if (earlier === undefined || later === undefined) return earlier ?? later;
  return { ...earlier, records: earlier.records + later.records, bytes: earlier.bytes + later.bytes };
};

/** The row that a job begins with at a sequence. It is written with what was counted, not before. */
export const firstRow = (job: string, pairKey: string, revision: number, start: number, books: Books): Row => ({
  job,
  pairKey,
  revision,
  start,
  cursor: start,
  counted: start,
  cuts: [],
  books,
  snapshot: undefined,
  deleted: false,
  lastSuccessMillis: undefined,
  lastErrorMillis: undefined,
  lastError: undefined,
});
