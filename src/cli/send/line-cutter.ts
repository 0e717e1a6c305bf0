/** Whole lines of an input, cut off as one request body. */
export interface LineBody {
  readonly data: Buffer;
  readonly lines: number;
  /** Lines that are not empty. */
  readonly records: number;
  /** Number of the first line in the input, 1-based. */
  readonly firstLine: number;
}

/** A line that is too long to be kept in memory: skipped, and told. */
export interface LongLine {
  readonly line: number;
}

export interface CutterLimits {
  readonly recordsMax: number;
  /** A body ends before the line that would exceed it; one longer line travels alone. */
  readonly bytesMax: number;
  readonly lineBytesMax: number;
}

const newline = 10;
const carriageReturn = 13;

/** Cuts a stream of bytes at line ends into bodies. Holds one body and one unfinished line at most. */
export class LineCutter {
  readonly #limits: CutterLimits;
  readonly #onLongLine: (line: LongLine) => void;
  #parts: Array<Buffer> = [];
  #bytes = 0;
  #records = 0;
  #line = 1;
  #firstLine = 1;
  #rest: Array<Buffer> = [];
  #restBytes = 0;
  #skipping = false;

  constructor(limits: CutterLimits, onLongLine: (line: LongLine) => void) {
    this.#limits = limits;
    this.#onLongLine = onLongLine;
  }

  /** Bodies that are complete now. `chunk` is kept by reference. */
  *push(chunk: Buffer): Generator<LineBody> {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      yield* this.#endLine(chunk.subarray(start, end + 1));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** What is left when the input ends; a last line may lack its newline. */
  *end(): Generator<LineBody> {
    if (this.#restBytes > 0 || this.#skipping) yield* this.#endLine(Buffer.from("\n"));
    if (this.#bytes > 0) yield this.#cut();
  }

  #keep(part: Buffer): void {
    if (this.#skipping) return;
    this.#rest.push(part);
    this.#restBytes += part.length;
    if (this.#restBytes <= this.#limits.lineBytesMax) return;
    this.#skipping = true;
    this.#rest = [];
    this.#restBytes = 0;
  }

  *#endLine(tail: Buffer): Generator<LineBody> {
    const length = this.#restBytes + tail.length;
    if (this.#skipping || length > this.#limits.lineBytesMax + 1) {
      this.#onLongLine({ line: this.#line });
      // The numbers of later lines are counted from the body's first: a hole ends the body.
      if (this.#bytes > 0) yield this.#cut();
      this.#skipping = false;
      this.#rest = [];
      this.#restBytes = 0;
      this.#line += 1;
      this.#firstLine = this.#line;
      return;
    }
    const isFull = this.#records >= this.#limits.recordsMax || this.#bytes + length > this.#limits.bytesMax;
    if (isFull && this.#bytes > 0) yield this.#cut();
    this.#parts.push(...this.#rest, tail);
    this.#bytes += length;
    if (!isEmptyLine(length, this.#rest[0] ?? tail)) this.#records += 1;
    this.#rest = [];
    this.#restBytes = 0;
    this.#line += 1;
  }

  #cut(): LineBody {
    const body = {
      data: Buffer.concat(this.#parts, this.#bytes),
      lines: this.#line - this.#firstLine,
      records: this.#records,
      firstLine: this.#firstLine,
    };
    this.#parts = [];
    this.#bytes = 0;
    this.#records = 0;
    this.#firstLine = this.#line;
    return body;
  }
}

const isEmptyLine = (length: number, first: Buffer): boolean =>
  length === 1 || (length === 2 && first[0] === carriageReturn);
