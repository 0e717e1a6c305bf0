import { isId } from "../domain/ids.ts";

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Further into a record than this, proving that the quick way is right costs more than the careful way. */
const flatBytesMax = 4_096;
const idBytesMax = 64;
const underscore = 0x5f;
const notSearched = -2;

/** Letters, digits, `-` and `_`: 1. */
const isIdByte = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") isIdByte[char.charCodeAt(0)] = 1;

/** Names that are safe to look for as bytes: what is between two strings of JSON can never look like one of them. */
const plainName = /^[A-Za-z0-9_]/;

/**
 * The field that names the customer of each record of a body: its first top-level occurrence. What `find` found stays
 * here until the next call, as bytes, so that a record costs neither an object nor a string.
 */
export class CustomerField {
  readonly body: Buffer;
  /** The id is in `[from, to)`, unless `text` is set. */
  from = 0;
  to = 0;
  /** Of the id's bytes; 0 with `text`. */
  hash = 0;
  /** The id, when it is written in a way that its bytes do not show. */
  text: string | undefined;
  private readonly field: string;
  private readonly name: Buffer;
  /** The quoted name; undefined for names that only the careful way can tell from other things. */
  private readonly pattern: Buffer | undefined;
  /**
   * The first occurrence at or after the place that was searched last; -1: none to the end of the body. Kept from
   * record
   * to record, so that records without the field do not search the rest of the body again and again.
   */
  private found: number;
  /** Likewise the first backslash: where there is none, a name that is not there as it is, is not there at all. */
  private escape = notSearched;

  constructor(body: Buffer, field: string) {
    this.body = body;
    this.field = field;
    this.name = Buffer.from(field);
    this.pattern = plainName.test(field) && !/["\\]/.test(field) ? Buffer.from(`"${field}"`) : undefined;
    this.found = this.pattern === undefined ? -1 : body.indexOf(this.pattern);
  }

  /** The customer of the record `[start, end)`; "bad" when the field is there and is not an id in a string. */
  find(start: number, end: number): "found" | "absent" | "bad" {
    if (this.findQuickly(start, end)) return "found";
    return this.isSurelyAbsent(start, end) ? "absent" : this.findCarefully(start, end);
  }

  id(): string {
    return this.text ?? this.body.toString("latin1", this.from, this.to);
  }

  /**
   * One native search for the quoted name. It is right when nothing before it opens an object or array or escapes
   * anything (so the name stands at the top level and begins where a string does) and when a plain id follows.
   * Whatever is unusual goes the careful way.
   */
  private findQuickly(start: number, end: number): boolean {
    const { body, pattern } = this;
    if (pattern === undefined) return false;
    if (this.found !== -1 && this.found < start) this.found = body.indexOf(pattern, start);
    const { found } = this;
    if (found === -1 || found >= end || !isFlat(body, start + 1, found)) return false;
    const after = found + pattern.length;
    const from = after + 2;
    if (body[after] !== colon || body[from - 1] !== quote || body[from] === underscore) return false;
    const bound = Math.min(end, from + idBytesMax + 1);
    let to = from;
    let hash = hashStart;
    for (let byte = body[to]!; to < bound && isIdByte[byte] === 1; byte = body[++to]!) hash = hashStep(hash, byte);
    if (to === from || to === bound || body[to] !== quote) return false;
    this.from = from;
    this.to = to;
    this.hash = hash;
    this.text = undefined;
    return true;
  }

  /** After the quick way, which has moved `found` to this record or beyond it. */
  private isSurelyAbsent(start: number, end: number): boolean {
    if (this.pattern === undefined || (this.found !== -1 && this.found < end)) return false;
    if (this.escape !== -1 && this.escape < start) this.escape = this.body.indexOf(backslash, start);
    return this.escape === -1 || this.escape >= end;
  }

  private findCarefully(start: number, end: number): "found" | "absent" | "bad" {
    const text = findTopLevelString(this.body, start, end, this.name, this.field);
    if (text === null) return "absent";
    if (!isId(text)) return "bad";
    this.text = text;
    this.hash = 0;
    return "found";
  }
}

/** FNV-1a, 32 bits. */
const hashStart = 0x811c9dc5 | 0;
const hashStep = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193);

const isFlat = (body: Buffer, from: number, to: number): boolean => {
  if (to - from > flatBytesMax) return false;
  for (let i = from; i < to; i++) {
    const byte = body[i];
    if (byte === openBrace || byte === openBracket || byte === backslash) return false;
  }
  return true;
};

/**
 * The careful way: byte by byte through strings and nesting. Linear, whatever the record holds.
 *
 * @return null when the record has no such top-level field, "" when the field is not a string
 */
export const findTopLevelString = (
  body: Buffer,
  start: number,
  end: number,
  name: Buffer,
  field: string,
): string | null => {
  let depth = 0;
  for (let i = start; i < end; i++) {
    const byte = body[i]!;
    if (byte === quote) {
      const close = endOfString(body, i, end);
      if (close === -1) return null;
      if (depth === 1) {
        const next = skipBlanks(body, close + 1, end);
        if (body[next] === colon && next < end && isName(body, i + 1, close, name, field)) {
          return stringAt(body, skipBlanks(body, next + 1, end), end);
        }
      }
      i = close;
    } else if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) depth -= 1;
  }
  return null;
};

/** An escape is always longer than what it stands for, so that equal lengths compare as bytes. */
const isName = (body: Buffer, from: number, to: number, name: Buffer, field: string): boolean => {
  if (to - from === name.length) return body.compare(name, 0, name.length, from, to) === 0;
  if (to - from < name.length) return false;
  for (let i = from; i < to; i++) if (body[i] === backslash) return unescaped(body, from, to) === field;
  return false;
};

/** "" when there is something else than a string. */
const stringAt = (body: Buffer, open: number, end: number): string => {
  if (open >= end || body[open] !== quote) return "";
  const close = endOfString(body, open, end);
  return close === -1 ? "" : (unescaped(body, open + 1, close) ?? "");
};

const unescaped = (body: Buffer, from: number, to: number): string | undefined => {
  const text = body.toString("utf8", from, to);
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return undefined;
  }
};

/** Index of the closing quote, or -1. */
const endOfString = (body: Buffer, open: number, end: number): number => {
  for (let i = open + 1; i < end; i++) {
    const byte = body[i];
    if (byte === quote) return i;
    if (byte === backslash) i += 1;
  }
  return -1;
};

const skipBlanks = (body: Buffer, from: number, end: number): number => {
  let i = from;
  while (i < end && (body[i] === 0x20 || body[i] === 0x09 || body[i] === 0x0d)) i += 1;
  return i;
};
