import type { RecordSpans } from "../actors/ports/outbox.ts";
import { MemoryPool } from "../domain/memory-pool.ts";
import type { Pair } from "../domain/partition.ts";

/** Counts down the writes that one request waits for. */
export interface Latch {
  remaining: number;
  readonly done: () => void;
}

export interface GatherLimits {
  readonly chunkRecordsMax: number;
  readonly chunkRawBytesMax: number;
  readonly plainChunkRawBytesMin: number;
  readonly muxRawBytesMax: number;
  readonly outboxWriteBytesMax: number;
  readonly outboxWriteMessagesMax: number;
}

/** What one LOG message will hold, as columns: one plain chunk, or several chunks of different pairs. */
export interface Planned {
  readonly kind: "plain" | "mux";
  readonly pairs: ReadonlyArray<Pair>;
  readonly records: ReadonlyArray<number>;
  /** Uncompressed. */
  readonly bytes: ReadonlyArray<number>;
  /** The chunks' records, one chunk after the other. */
  readonly raw: Buffer;
  /** Whether `raw` is a copy, whose memory may be used again once it is compressed. */
  readonly copied: boolean;
}

/** One write, and the requests that have their last records in it. */
export interface Plan {
  readonly messages: ReadonlyArray<Planned>;
  readonly latches: ReadonlyArray<Latch>;
}

/** 4 KB to 16 MB. */
const rawMemory = new MemoryPool(12, 24, 33_554_432);

/** After compression. */
export const releaseRaw = ({ copied, raw }: Planned): void => {
  if (copied) rawMemory.give(Buffer.from(raw.buffer));
};

/**
 * What gathers for a partition while its one write is in flight: that is the linger. Pure data: spans go in, a plan of
 * messages comes out, in order per pair. Columns throughout: what gathers for ten thousand customers is nearly one span
 * per record.
 */
export class Gather {
  private readonly limits: GatherLimits;
  private sources: Array<RecordSpans> = [];
  private spans: Array<number> = [];
  /** Spans taken since the beginning. */
  private taken = 0;
  /** In order: the request whose spans end before `end`, counted since the beginning. */
  private requests: Array<{ readonly latch: Latch; end: number }> = [];

  constructor(limits: GatherLimits) {
    this.limits = limits;
  }

  isEmpty(): boolean {
    return this.spans.length === 0;
  }

  /** Span `i` of a request's body. All spans of a request are added before another's. */
  add(source: RecordSpans, i: number, latch: Latch): void {
    this.sources.push(source);
    this.spans.push(i);
    const end = this.taken + this.spans.length;
    const latest = this.requests[this.requests.length - 1];
    if (latest?.latch === latch) {
      latest.end = end;
      return;
    }
    this.requests.push({ latch, end });
    latch.remaining += 1;
  }

  /** The next write: spans in order, bounded in messages and raw bytes. The first span always fits. */
  take(): Plan {
    const chunks = new Chunking(this.limits, this.sources, this.spans);
    const count = chunks.fill();
    const messages = chunks.messages();
    this.taken += count;
    // The arrays are given up, not emptied: what is left of a long queue is copied once per write.
    this.sources = count === this.sources.length ? [] : this.sources.slice(count);
    this.spans = count === this.spans.length ? [] : this.spans.slice(count);
    const landed = this.requests.findIndex(({ end }) => end > this.taken);
    const latches = this.requests.splice(0, landed === -1 ? this.requests.length : landed).map(({ latch }) => latch);
    return { messages, latches };
  }
}

const none = -1;

/** The spans of one write, linked into chunks. A chunk is a number, and everything of it a column. */
class Chunking {
  private readonly limits: GatherLimits;
  private readonly sources: ReadonlyArray<RecordSpans>;
  private readonly spans: ReadonlyArray<number>;
  private readonly pairs: Array<Pair> = [];
  private readonly records: Array<number> = [];
  private readonly bytes: Array<number> = [];
  private readonly firstSpan: Array<number> = [];
  private readonly lastSpan: Array<number> = [];
  /** Per span: the next one of its chunk. */
  private readonly nextSpan: Array<number> = [];
  private readonly open = new Map<Pair, number>();
  /** Chunks that took no more, oldest first; they precede what is open of their pair. */
  private readonly full: Array<number> = [];
  /** Open chunks that are large enough for a message of their own. */
  private large = 0;

  constructor(limits: GatherLimits, sources: ReadonlyArray<RecordSpans>, spans: ReadonlyArray<number>) {
    this.limits = limits;
    this.sources = sources;
    this.spans = spans;
  }

  /** Takes as many spans as one write may have. Answers how many. */
  fill(): number {
    const { muxRawBytesMax, outboxWriteBytesMax, outboxWriteMessagesMax } = this.limits;
    let bytes = 0;
    for (let at = 0; at < this.spans.length; at++) {
      const source = this.sources[at]!;
      const span = this.spans[at]!;
      const size = source.stops[span]! - source.starts[span]!;
      // Never fewer than it will be: two mux messages in a row hold more than one may, so there are at most so many and
      // one more; and the span itself may fill one chunk and begin another.
      const messages = this.full.length + this.large + Math.floor((2 * (bytes + size)) / muxRawBytesMax) + 3;
      if (at > 0 && (bytes + size > outboxWriteBytesMax || messages > outboxWriteMessagesMax)) return at;
      bytes += size;
      this.link(at, source.pairs[span]!, source.records[span]!, size);
    }
    return this.spans.length;
  }

  private link(at: number, pair: Pair, records: number, size: number): void {
    const { chunkRawBytesMax, chunkRecordsMax, plainChunkRawBytesMin } = this.limits;
    this.nextSpan.push(none);
    const chunk = this.open.get(pair);
    if (chunk === undefined) return this.begin(at, pair, records, size);
    const before = this.bytes[chunk]!;
    if (this.records[chunk]! + records > chunkRecordsMax || before + size > chunkRawBytesMax) {
      this.full.push(chunk);
      if (before >= plainChunkRawBytesMin) this.large -= 1;
      return this.begin(at, pair, records, size);
    }
    this.nextSpan[this.lastSpan[chunk]!] = at;
    this.lastSpan[chunk] = at;
    this.records[chunk]! += records;
    this.bytes[chunk] = before + size;
    if (before < plainChunkRawBytesMin && before + size >= plainChunkRawBytesMin) this.large += 1;
  }

  private begin(at: number, pair: Pair, records: number, size: number): void {
    this.open.set(pair, this.pairs.length);
    this.pairs.push(pair);
    this.records.push(records);
    this.bytes.push(size);
    this.firstSpan.push(at);
    this.lastSpan.push(at);
    if (size >= this.limits.plainChunkRawBytesMin) this.large += 1;
  }

  /** Full chunks first; then small ones in as few messages as their raw size allows. Each pair occurs once in one. */
  messages(): ReadonlyArray<Planned> {
    const { muxRawBytesMax, plainChunkRawBytesMin } = this.limits;
    const plan = this.full.map((chunk) => this.message("plain", [chunk]));
    let mux: Array<number> = [];
    let muxBytes = 0;
    for (const chunk of this.open.values()) {
      const bytes = this.bytes[chunk]!;
      if (bytes >= plainChunkRawBytesMin) {
        plan.push(this.message("plain", [chunk]));
        continue;
      }
      if (mux.length > 0 && muxBytes + bytes > muxRawBytesMax) {
        plan.push(this.message("mux", mux));
        mux = [];
        muxBytes = 0;
      }
      mux.push(chunk);
      muxBytes += bytes;
    }
    if (mux.length > 0) plan.push(this.message("mux", mux));
    return plan;
  }

  private message(kind: Planned["kind"], chunks: ReadonlyArray<number>): Planned {
    const columns = {
      kind,
      pairs: chunks.map((chunk) => this.pairs[chunk]!),
      records: chunks.map((chunk) => this.records[chunk]!),
      bytes: chunks.map((chunk) => this.bytes[chunk]!),
    };
    const only = this.firstSpan[chunks[0]!]!;
    if (chunks.length === 1 && this.nextSpan[only] === none) {
      const { body, starts, stops } = this.sources[only]!;
      const span = this.spans[only]!;
      return { ...columns, raw: body.subarray(starts[span], stops[span]), copied: false };
    }
    return { ...columns, raw: this.copyOf(chunks, columns.bytes), copied: true };
  }

  private copyOf(chunks: ReadonlyArray<number>, bytes: ReadonlyArray<number>): Buffer {
    const total = bytes.reduce((sum, each) => sum + each, 0);
    const raw = rawMemory.take(total).subarray(0, total);
    let to = 0;
    for (const chunk of chunks) {
      for (let at = this.firstSpan[chunk]!; at !== none; at = this.nextSpan[at]!) {
        const source = this.sources[at]!;
        const span = this.spans[at]!;
        to += source.body.copy(raw, to, source.starts[span], source.stops[span]);
      }
    }
    return raw;
  }
}
