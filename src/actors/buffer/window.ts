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
  // Copied: a chunk of one of ten thousand buffers finds none of them in the processor's cache, and each further object
  // that it has to look at costs as much as its records.
  private readonly batchBytesMax: number;
  private readonly batchRecordsMax: number;
  private readonly intervalMillis: number;
  private readonly bounds: WindowBounds;
  private cuts: ReadonlyArray<number> | undefined;
  private open: BatchParts | undefined;
  private closed: Array<ClosedBatch> | undefined;

  constructor(limits: BatchLimits, bounds: WindowBounds, cuts: ReadonlyArray<number>) {
    this.batchBytesMax = limits.maxBytes;
    this.batchRecordsMax = limits.maxRecords;
    this.intervalMillis = limits.maxIntervalSeconds * 1_000;
    this.bounds = bounds;
    this.cuts = cuts.length === 0 ? undefined : cuts;
  }

  /** Bytes in memory, compressed or not. */
  bytes(): number {
    // Summed, not kept: a batch shrinks when its raw records are compressed, and there are only a few.
    let sum = this.open?.heldBytes ?? 0;
    if (this.closed !== undefined) for (const { parts } of this.closed) sum += parts.heldBytes;
    return sum;
  }

  /** Records and uncompressed bytes held. */
  tally(): { readonly records: number; readonly bytes: number } {
    let records = this.open?.records ?? 0;
    let bytes = this.open?.bytes ?? 0;
    for (const { ref } of this.closed ?? []) {
      records += ref.records;
      bytes += ref.bytes;
    }
    return { records, bytes };
  }

  isEmpty(): boolean {
    return this.open === undefined && this.closed === undefined;
  }

  /** The oldest complete batch. */
  head(): ClosedBatch | undefined {
    return this.closed?.[0];
  }

  /** JetStream time of the oldest chunk held. */
  oldestMillis(): number | undefined {
    return this.closed?.[0]?.ref.startMillis ?? this.open?.startMillis;
  }

  /** JetStream time at which the open batch ends; undefined when there is none. */
  deadlineMillis(): number | undefined {
    return this.open === undefined ? undefined : this.open.startMillis + this.intervalMillis;
  }

  /** First sequence of the open batch: another one means another deadline. */
  openFirst(): number | undefined {
    return this.open?.first;
  }

  /** Whether a chunk would be taken now. */
  hasRoom(): boolean {
    return (
      this.closed === undefined ||
      (this.closed.length < this.bounds.closedBatchesMax && this.bytes() < this.bounds.bytesMax)
    );
  }

  /** JetStream time at which the open batch began; undefined when there is none. */
  openStartMillis(): number | undefined {
    return this.open?.startMillis;
  }

  /**
   * A message of the partition, anybody's, with this time: ends the open batch when its interval is over, and when the
   * server's clock was set back to before its beginning, for then its end might be hours away.
   */
  advance(millis: number): boolean {
    const deadline = this.deadlineMillis();
    if (deadline === undefined || (millis < deadline && millis >= this.open!.startMillis)) return false;
    this.close("time");
    return true;
  }

  /** Takes a chunk of this job. Answers whether a batch ended; the caller asked `hasRoom` before. */
  append(sequence: number, millis: number, chunk: Chunk): boolean {
    const ended = this.open !== undefined && this.wouldOverflow(this.open, sequence, chunk);
    const open = (this.open ??= new BatchParts(sequence, millis));
    open.add(sequence, millis, chunk);
    if (open.bytes >= this.batchBytesMax || open.records >= this.batchRecordsMax) return this.close("size");
    if (this.cuts?.includes(sequence) === true) return this.close("cut");
    return ended;
  }

  /** Ends the batch before this chunk when it would not fit, or when a cut lies between. */
  private wouldOverflow(open: BatchParts, sequence: number, chunk: Chunk): boolean {
    const first = this.cuts?.find((cut) => cut >= open.last);
    if (first !== undefined && first < sequence) return this.close("cut");
    const fits = open.bytes + chunk.bytes <= this.batchBytesMax && open.records + chunk.records <= this.batchRecordsMax;
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
    (this.closed ??= []).push({ ref: open.ref(closedBy), parts: open });
    this.open = undefined;
    return true;
  }

  /** Removes the oldest batch, which is settled. */
  settleHead(): ClosedBatch | undefined {
    const head = this.closed?.shift();
    if (head === undefined) return undefined;
    if (this.closed?.length === 0) this.closed = undefined;
    if (this.cuts !== undefined) {
      const left = this.cuts.filter((cut) => cut > head.ref.last);
      this.cuts = left.length === 0 ? undefined : left;
    }
    return head;
  }

  /** Gives up everything but the oldest batch, when that is in use. Answers the last sequence that is still held. */
  drop(keepHead: boolean): number | undefined {
    const head = keepHead ? this.closed?.[0] : undefined;
    this.open = undefined;
    this.closed = head === undefined ? undefined : [head];
    return head?.ref.last;
  }
}

/** Memory of raw runs: 2 KB to 512 KB each. */
const runs = new MemoryPool(11, 19, 33_554_432);
const rawBytesMax = 262_144;

/** The output buffer is sized to the input: the default of 16 KB costs more than compressing a few hundred bytes. */
const compressRun = (raw: Buffer): Buffer =>
  gzipSync(raw, { level: 1, chunkSize: Math.max(512, Math.min(65_536, raw.length >> 2)) });

/** A stored gzip member, or a run that was compressed. */
interface Member {
  readonly data: Buffer;
  readonly records: number;
}

/** The whole of a batch, ready to be sent, and what the encoder itself counted: the books' other side. */
export interface EncodedBatch {
  /** gzip members in order. */
  readonly body: ReadonlyArray<Buffer>;
  readonly bodyBytes: number;
  readonly records: number;
  /** Uncompressed, from the members themselves (ISIZE, the last four bytes), not from the chunk headers. */
  readonly bytes: number;
}

/**
 * The bytes of a batch, open or closed: stored gzip members as they are, and between them runs of raw records, copied
 * together so that a few hundred bytes do not keep the whole message in memory that they came in.
 */
export class BatchParts {
  readonly first: number;
  readonly startMillis: number;
  last: number;
  records = 0;
  /** Uncompressed. */
  bytes = 0;
  /** Held in memory. */
  heldBytes = 0;
  private raw: Buffer | undefined = undefined;
  private rawLength = 0;
  private rawRecords = 0;
  /** Kept as a difference: a small number has its place in the object, a time has one of its own. */
  private millisSinceStart = 0;
  private members: Array<Member> | undefined = undefined;
  private encoded: EncodedBatch | undefined = undefined;

  constructor(sequence: number, millis: number) {
    this.first = sequence;
    this.last = sequence;
    this.startMillis = millis;
  }

  add(sequence: number, millis: number, chunk: Chunk): void {
    this.last = sequence;
    this.millisSinceStart = millis - this.startMillis;
    this.records += chunk.records;
    this.bytes += chunk.bytes;
    if (chunk.encoding === "raw") return this.addRaw(chunk);
    this.packRaw();
    const data = chunk.data.subarray(chunk.from, chunk.to);
    this.heldBytes += data.length;
    this.pushMember({ data, records: chunk.records });
  }

  ref(closedBy: BatchClosing): BatchRef {
    const { bytes, first, last, millisSinceStart, records, startMillis } = this;
    return { first, last, records, bytes, startMillis, endMillis: startMillis + millisSinceStart, closedBy };
  }

  private addRaw({ data, from, records, to }: Chunk): void {
    const needed = this.rawLength + to - from;
    if (this.raw === undefined || needed > this.raw.length) this.growRaw(needed);
    data.copy(this.raw!, this.rawLength, from, to);
    this.rawLength = needed;
    this.rawRecords += records;
    // A slow customer's run must not stay uncompressed for minutes.
    if (this.rawLength >= rawBytesMax) this.packRaw();
  }

  private growRaw(needed: number): void {
    const grown = runs.take(needed);
    this.heldBytes += grown.length - (this.raw?.length ?? 0);
    if (this.raw !== undefined) {
      this.raw.copy(grown, 0, 0, this.rawLength);
      runs.give(this.raw);
    }
    this.raw = grown;
  }

  private packRaw(): void {
    if (this.raw === undefined || this.rawLength === 0) return;
    const data = compressRun(this.raw.subarray(0, this.rawLength));
    this.pushMember({ data, records: this.rawRecords });
    this.heldBytes += data.length - this.raw.length;
    runs.give(this.raw);
    this.raw = undefined;
    this.rawLength = 0;
    this.rawRecords = 0;
  }

  private pushMember(member: Member): void {
    (this.members ??= []).push(member);
    this.encoded = undefined;
  }

  /** What was raw is compressed on the first call and kept for retries. */
  encode(): EncodedBatch {
    this.packRaw();
    if (this.encoded !== undefined) return this.encoded;
    const body: Array<Buffer> = [];
    let bodyBytes = 0;
    let records = 0;
    let bytes = 0;
    for (const member of this.members ?? []) {
      body.push(member.data);
      bodyBytes += member.data.length;
      records += member.records;
      bytes += member.data.readUInt32LE(member.data.length - 4);
    }
    this.encoded = { body, bodyBytes, records, bytes };
    return this.encoded;
  }
}
