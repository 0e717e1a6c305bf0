import { isUtf8 } from "node:buffer";
import type { CustomerField } from "./customer-field.ts";
import { type HeldBackReason, type RefusedReason, Refusals } from "./refusals.ts";

export interface ScanOptions {
  readonly recordBytesMax: number;
  readonly refusedListedMax: number;
  /** Its name, and how to find it in this body; undefined: one customer for the whole body. */
  readonly customerField: string | undefined;
  readonly customers: CustomerField | undefined;
  /** Also parse each record as JSON. */
  readonly validate: boolean;
}

/**
 * Told of each good record in order: `[start, end)` is the record without its line ending; `clean` says that a single
 * newline follows at `end`, so that `[start, end]` may be stored as it is. Meanwhile `customers` holds its customer.
 * `line` is 1-based.
 */
export type OnRecord = (start: number, end: number, clean: boolean, line: number) => void;

type BadRecord = Exclude<RefusedReason, HeldBackReason>;

const newline = 0x0a;
const carriageReturn = 0x0d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Goes through an NDJSON body line by line without parsing it. Empty lines are skipped; a bad record is refused alone.
 * One native search per line and, for mixed bodies, one more for the customer field.
 */
export class Scan {
  readonly refusals: Refusals;
  private readonly body: Buffer;
  private readonly options: ScanOptions;
  private readonly onRecord: OnRecord;
  /** Checked once for the whole body; per record only when somewhere something is wrong. */
  private readonly allUtf8: boolean;
  private at = 0;
  private line = 0;

  constructor(body: Buffer, options: ScanOptions, onRecord: OnRecord) {
    this.body = body;
    this.options = options;
    this.onRecord = onRecord;
    this.refusals = new Refusals(options.refusedListedMax);
    this.allUtf8 = isUtf8(body);
  }

  /** Goes on for a bounded time: at most so many lines and about so many bytes. Whether the end is reached. */
  step(linesMax: number, bytesMax: number): boolean {
    const { body } = this;
    const length = body.length;
    const lineMax = this.line + linesMax;
    const stop = Math.min(length, this.at + bytesMax);
    let at = this.at;
    while (at < stop && this.line < lineMax) {
      const found = body.indexOf(newline, at);
      const lineEnd = found === -1 ? length : found;
      this.line += 1;
      const end = lineEnd > at && body[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
      if (end > at) this.record(at, end, found === end);
      at = lineEnd + 1;
    }
    this.at = at;
    return at >= length;
  }

  private record(start: number, end: number, clean: boolean): void {
    const { body, options } = this;
    if (end - start > options.recordBytesMax) return this.refuse("too-big", start, end);
    if (!this.allUtf8 && !isUtf8(body.subarray(start, end))) return this.refuse("not-utf8", start, end);
    if ((body[start] !== openBrace || body[end - 1] !== closeBrace) && !isObject(body, start, end)) {
      return this.refuse("not-an-object", start, end);
    }
    if (options.customers !== undefined) {
      const found = options.customers.find(start, end);
      if (found !== "found") return this.refuse(found === "absent" ? "no-customer" : "bad-customer", start, end);
    }
    if (options.validate && !isJson(body, start, end)) return this.refuse("not-json", start, end);
    this.onRecord(start, end, clean, this.line);
  }

  private refuse(reason: BadRecord, start: number, end: number): void {
    this.refusals.add(this.line, reason, detailOf(reason, this.options), end - start + 1);
  }
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

/** `{…}` with spaces or tabs around it. */
const isObject = (body: Buffer, start: number, end: number): boolean => {
  let first = start;
  let last = end - 1;
  while (first < last && isBlank(body[first])) first += 1;
  while (last > first && isBlank(body[last])) last -= 1;
  return first < last && body[first] === openBrace && body[last] === closeBrace;
};

const isJson = (body: Buffer, start: number, end: number): boolean => {
  try {
    JSON.parse(body.toString("utf8", start, end));
    return true;
  } catch {
    return false;
  }
};

const detailOf = (reason: BadRecord, { customerField, recordBytesMax }: ScanOptions): string => {
  switch (reason) {
    case "not-utf8":
      return "the record is not UTF-8";
    case "not-an-object":
      return "the record does not begin with { and end with }";
    case "too-big":
      return `the record is longer than ${recordBytesMax} bytes`;
    case "no-customer":
      return `the record has no top-level field ${JSON.stringify(customerField)}`;
    case "bad-customer":
      return `the field ${JSON.stringify(customerField)} must be a string of 1 to 64 letters, digits, '-' or '_' that does not begin with '_'`;
    case "not-json":
      return "the record is not JSON";
  }
};
