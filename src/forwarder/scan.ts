import { isUtf8 } from "node:buffer";
import { isId } from "../domain/ids.ts";
import { findTopLevelString } from "./customer-field.ts";
import { type RefusedReason, Refusals } from "./refusals.ts";

/** Whose record each line is, when the request does not say it for all. */
export interface ScanOptions {
  readonly recordBytesMax: number;
  readonly refusedListedMax: number;
  /** The top-level field that names the customer; undefined: one customer for the whole body. */
  readonly customerField: string | undefined;
  /** Also parse each record as JSON. */
  readonly validate: boolean;
}

/**
 * Told of each good record in order: `[start, end)` is the record without its line ending; `clean` says that a single
 * newline follows at `end`, so that `[start, end]` may be stored as it is.
 */
export type OnRecord = (start: number, end: number, clean: boolean, customer: string | undefined) => void;

const newline = 0x0a;
const carriageReturn = 0x0d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Goes through an NDJSON body line by line without parsing it. Empty lines are skipped; a bad record is refused alone.
 * One native search per line and, for mixed bodies, one more for the customer field.
 */
export const scanRecords = (body: Buffer, options: ScanOptions, onRecord: OnRecord): Refusals => {
  const refusals = new Refusals(options.refusedListedMax);
  const field = options.customerField === undefined ? undefined : fieldFinder(body, options.customerField);
  // Checked once for the whole body; per record only when somewhere something is wrong.
  const allUtf8 = isUtf8(body);
  let line = 0;
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(newline, start);
    const lineEnd = found === -1 ? body.length : found;
    const next = lineEnd + 1;
    line += 1;
    const end = lineEnd > start && body[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
    if (end > start) {
      const customer = field?.(start, end);
      const wrong = verdict(body, start, end, allUtf8, options, customer);
      if (wrong === undefined) onRecord(start, end, found === end, customer ?? undefined);
      else refusals.add(line, wrong, detailOf(wrong, options));
    }
    start = next;
  }
  return refusals;
};

const verdict = (
  body: Buffer,
  start: number,
  end: number,
  allUtf8: boolean,
  options: ScanOptions,
  customer: string | null | undefined,
): RefusedReason | undefined => {
  if (end - start > options.recordBytesMax) return "too-big";
  if (!allUtf8 && !isUtf8(body.subarray(start, end))) return "not-utf8";
  if (body[start] !== openBrace || body[end - 1] !== closeBrace) {
    if (!isObjectBetweenBlanks(body, start, end)) return "not-an-object";
  }
  if (options.customerField !== undefined) {
    if (customer === undefined || customer === null) return "no-customer";
    if (!isId(customer)) return "bad-customer";
  }
  if (options.validate && !isJson(body, start, end)) return "not-json";
  return undefined;
};

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

const isObjectBetweenBlanks = (body: Buffer, start: number, end: number): boolean => {
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

/**
 * Finds the customer of each record in turn: null when there is none. The bytes `"field":"` cannot occur inside a JSON
 * string, where quotes are escaped; what remains is to see that they are not in a nested object.
 */
const fieldFinder = (body: Buffer, field: string) => {
  const name = JSON.stringify(field);
  const pattern = Buffer.from(`${name}:"`);
  /** Of the first occurrence at or after the place that was searched last: a record without one must not search on and on. */
  let at = -2;
  return (start: number, end: number): string | null => {
    if (at !== -1 && at < start) at = body.indexOf(pattern, start);
    if (at !== -1 && at < end && isFlatBefore(body, start, at)) {
      const from = at + pattern.length;
      const to = body.indexOf(0x22, from);
      // An escape means that the bytes are not the value; ids have none.
      if (to !== -1 && to < end) return body.toString("latin1", from, to);
    }
    return findTopLevelString(body, start, end, name);
  };
};

/** No brace or bracket opens between the record's own and the field: then the field is at the top level. */
const isFlatBefore = (body: Buffer, start: number, at: number): boolean => {
  // The field is usually among the first; a byte loop beats two native searches that run to the end of the body.
  if (at - start > flatBytesMax) return false;
  for (let i = start + 1; i < at; i++) {
    const byte = body[i];
    if (byte === openBrace || byte === 0x5b) return false;
  }
  return true;
};
const flatBytesMax = 4_096;

const details: Readonly<Record<RefusedReason, string>> = {
  "too-big": "the record is longer than",
  "not-utf8": "the record is not UTF-8",
  "not-an-object": "the record does not begin with { and end with }",
  "no-customer": "the record has no string field",
  "bad-customer": "the customer must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_': field",
  "not-json": "the record is not JSON",
};

const detailOf = (reason: RefusedReason, { customerField, recordBytesMax }: ScanOptions): string => {
  if (reason === "too-big") return `${details[reason]} ${recordBytesMax} bytes`;
  if (reason === "no-customer" || reason === "bad-customer") return `${details[reason]} ${JSON.stringify(customerField)}`;
  return details[reason];
};
