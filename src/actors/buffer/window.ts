import { gzipSync } from "node:zlib";
import { MemoryPool } from "../../domain/memory-pool.ts";
import type { BatchClosing, BatchLimits, BatchRef } from "../../domain/batch.ts";
import type { Chunk } from "../ports/log.ts";

/** What a window may hold before it takes no more. An open batch alone is always let grow to its own limit. */
export interface WindowBounds {
  readonly bytesMax: number;
  readonly closedBatchesMax: number;
}

/** A batch whose end is known. */
export interface ClosedBatch {
  readonly ref: BatchRef;
  readonly parts: BatchParts;
}

/**
 * The undelivered records of one push job that are in memory, cut into batches. Pure data: where a batch ends is a
 * function of the messages fed, their times and the row's cuts, never of when they were read.
 *
 * Fed in sequence: `advance` with the time of every message of the partition, `append` with the job's own chunks.
 */
export class Window {
  private readonly limits: BatchLimits;
  private readonly bounds: WindowBounds;
  private cuts: ReadonlyArray<number>;
  private open: OpenBatch | undefined;
  private closed: Array<ClosedBatch> = [];

  constructor(limits: BatchLimits, bounds: WindowBounds, cuts: ReadonlyArray<number>) {
    this.limits = limits;
    this.bounds = bounds;
    this.cuts = cuts;
  }

  /** Bytes in memory, compressed or not. */
  bytes(): number {
    // Summed, not kept: a batch shrinks when its raw records are compressed, and there are only a few.
    return this.closed.reduce((sum, { parts }) => sum + parts.bytes, this.open?.parts.bytes ?? 0);
  }

  /** Records and uncompressed bytes held. */
  tally(): { readonly records: number; readonly bytes: number } {
    const all = [...this.closed.map(({ ref }) => ref), ...(this.open === undefined ? [] : [this.open])];
    return {
      records: all.reduce((sum, { records }) => sum + records, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  isEmpty(): boolean {
    return this.open === undefined && this.closed.length === 0;
  }

  /** The oldest complete batch. */
  head(): ClosedBatch | undefined {
    return this.closed[0];
  }

  /** JetStream time of the oldest chunk held. */
  oldestMillis(): number | undefined {
    return this.closed[0]?.ref.startMillis ?? this.open?.startMillis;
  }

  /** JetStream time at which the open batch ends; undefined when there is none. */
  deadlineMillis(): number | undefined {
    return this.open === undefined ? undefined : this.open.startMillis + this.limits.maxIntervalSeconds * 1_000;
  }

  /** Whether a chunk would be taken now. */
  hasRoom(): boolean {
    return (
      this.closed.length === 0 ||
      (this.closed.length < this.bounds.closedBatchesMax && this.bytes() < this.bounds.bytesMax)
    );
  }

  /** A message of the partition, anybody's, with this time: ends the open batch when its interval is over. */
  advance(millis: number): boolean {
    const deadline = this.deadlineMillis();
    if (deadline === undefined || millis < deadline) return false;
    this.close("time");
    return true;
  }

  /** Takes a chunk of this job. Answers whether a batch ended; the caller asked `hasRoom` before. */
  append(sequence: number, millis: number, chunk: Chunk): boolean {
    let ended = false;
    const before = this.open;
    if (before !== undefined && this.wouldOverflow(before, sequence, chunk)) ended = true;
    const open = (this.open ??= new OpenBatch(sequence, millis));
    open.add(sequence, millis, chunk);
    if (open.bytes >= this.limits.maxBytes || open.records >= this.limits.maxRecords) return this.close("size");
    if (this.cuts.includes(sequence)) return this.close("cut");
    return ended;
  }

  /** Ends the batch before this chunk when it would not fit, or when a cut lies between. */
  private wouldOverflow(open: OpenBatch, sequence: number, chunk: Chunk): boolean {
    const first = this.cuts.find((cut) => cut >= open.last);
    if (first !== undefined && first < sequence) return this.close("cut");
    const fits =
      open.bytes + chunk.bytes <= this.limits.maxBytes && open.records + chunk.records <= this.limits.maxRecords;
    return fits ? false : this.close("size");
  }

  /** Where the open batch would be cut now: its last sequence. */
  cuttable(): number | undefined {
    return this.open?.last;
  }

  /** Ends the open batch at a cut that is durable in the row. */
  cut(sequence: number): boolean {
    if (this.open === undefined || this.open.last !== sequence) return false;
    return this.close("cut");
  }

  private close(closedBy: BatchClosing): true {
    const open = this.open!;
    this.closed.push({ ref: open.ref(closedBy), parts: open.parts });
    this.open = undefined;
    return true;
  }

  /** Removes the oldest batch, which is settled. */
  settleHead(): ClosedBatch | undefined {
    const head = this.closed.shift();
    if (head !== undefined) this.cuts = this.cuts.filter((cut) => cut > head.ref.last);
    return head;
  }

  /** Gives up everything but the oldest batch, when that is in use. Answers the last sequence that is still held. */
  drop(keepHead: boolean): number | undefined {
    const head = keepHead ? this.closed[0] : undefined;
    this.open = undefined;
    this.closed = head === undefined ? [] : [head];
    return head?.ref.last;
  }
}

class OpenBatch {
  readonly first: number;
  readonly startMillis: number;
  readonly parts = new BatchParts();
  last: number;
  endMillis: number;
  records = 0;
  bytes = 0;

  constructor(sequence: number, millis: number) {
    this.first = sequence;
    this.last = sequence;
    this.startMillis = millis;
    this.endMillis = millis;
  }

  add(sequence: number, millis: number, chunk: Chunk): void {
    this.last = sequence;
    this.endMillis = millis;
    this.records += chunk.records;
    this.bytes += chunk.bytes;
    this.parts.add(chunk);
  }

  ref(closedBy: BatchClosing): BatchRef {
    const { bytes, endMillis, first, last, records, startMillis } = this;
    return { first, last, records, bytes, startMillis, endMillis, closedBy };
  }
}

/** Memory of raw runs: 2 KB to 512 KB each. */
const runs = new MemoryPool(11, 19, 33_554_432);
const rawBytesMax = 262_144;

/** The output buffer is sized to the input: the default of 16 KB costs more than compressing a few hundred bytes. */
const compressRun = (raw: Uint8Array): Uint8Array =>
  gzipSync(raw, { level: 1, chunkSize: Math.max(512, Math.min(65_536, raw.length >> 2)) });

/**
 * The bytes of a batch: stored gzip members as they are, and between them runs of raw records, copied together so that
 * a few hundred bytes do not keep the whole message in memory that they came in.
 */
export class BatchParts {
  private readonly members: Array<Uint8Array> = [];
  private readonly memberRecords: Array<number> = [];
  private raw: Buffer | undefined;
  private rawLength = 0;
  private rawRecords = 0;
  /** Held in memory. */
  bytes = 0;

  add(chunk: Chunk): void {
    if (chunk.encoding === "raw") return this.addRaw(chunk);
    this.packRaw();
    this.pushMember(chunk.data, chunk.records);
    this.bytes += chunk.data.length;
  }

  private addRaw({ data, records }: Chunk): void {
    const needed = this.rawLength + data.length;
    if (this.raw === undefined || needed > this.raw.length) this.growRaw(needed);
    this.raw!.set(data, this.rawLength);
    this.rawLength = needed;
    this.rawRecords += records;
    // A slow customer's run must not stay uncompressed for minutes.
    if (this.rawLength >= rawBytesMax) this.packRaw();
  }

  private growRaw(needed: number): void {
    const grown = runs.take(needed);
    this.bytes += grown.length - (this.raw?.length ?? 0);
    if (this.raw !== undefined) {
      grown.set(this.raw.subarray(0, this.rawLength));
      runs.give(this.raw);
    }
    this.raw = grown;
  }

  private packRaw(): void {
    if (this.raw === undefined || this.rawLength === 0) return;
    const member = compressRun(this.raw.subarray(0, this.rawLength));
    this.pushMember(member, this.rawRecords);
    this.bytes += member.length - this.raw.length;
    runs.give(this.raw);
    this.raw = undefined;
    this.rawLength = 0;
    this.rawRecords = 0;
  }

  private pushMember(data: Uint8Array, records: number): void {
    this.members.push(data);
    this.memberRecords.push(records);
  }

  /** The batch's body: gzip members in order. What was raw is compressed on the first call and kept for retries. */
  encode(): {
    readonly body: ReadonlyArray<Uint8Array>;
    readonly bodyBytes: number;
    readonly records: number;
    readonly bytes: number;
  } {
    this.packRaw();
    return {
      body: this.members,
      bodyBytes: this.members.reduce((sum, { length }) => sum + length, 0),
      records: this.memberRecords.reduce((sum, records) => sum + records, 0),
      // From the members themselves (ISIZE, the last four bytes), not from the chunk headers: the books' other side.
      bytes: this.members.reduce((sum, member) => sum + inflatedBytes(member), 0),
    };
  }
}

const inflatedBytes = (member: Uint8Array): number =>
  Buffer.from(member.buffer, member.byteOffset, member.length).readUInt32LE(member.length - 4);
