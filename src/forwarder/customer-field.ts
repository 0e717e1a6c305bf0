const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Finds the customer of a record, `[start, end)` of a body: null when the record has no such top-level field, "" when
 * the field is not a string, else the string, which may or may not be an id. The first occurrence counts.
 */
export type CustomerFinder = (start: number, end: number) => string | null;

/** Further into a record than this, proving that the quick way is right costs more than the careful way. */
const flatBytesMax = 4_096;
const idBytesMax = 64;

/** Letters, digits, `-` and `_`: 1. */
const isIdByte = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") isIdByte[char.charCodeAt(0)] = 1;

/** Names that are safe to look for as bytes: what is between two strings of JSON can never look like one of them. */
const plainName = /^[A-Za-z0-9_]/;

/**
 * The quick way: one native search for the quoted name. It is right when nothing before it opens an object or array
 * or escapes anything (so the name stands at the top level and begins where a string does) and when a plain id
 * follows. Whatever is unusual goes the careful way.
 */
export const makeCustomerFinder = (body: Buffer, field: string): CustomerFinder => {
  const name = Buffer.from(field);
  const careful: CustomerFinder = (start, end) => findTopLevelString(body, start, end, name, field);
  if (!plainName.test(field) || /["\\]/.test(field)) return careful;
  const pattern = Buffer.from(`"${field}"`);
  // The first occurrence at or after `searchedFrom`; -1: none to the end of the body. Kept from record to record, so
  // that records without the field do not search the rest of the body again and again.
  let found = body.indexOf(pattern);
  return (start, end) => {
    if (found !== -1 && found < start) found = body.indexOf(pattern, start);
    if (found === -1 || found >= end || !isFlat(body, start + 1, found)) return careful(start, end);
    const colonAt = found + pattern.length;
    const from = colonAt + 2;
    if (body[colonAt] !== colon || body[from - 1] !== quote) return careful(start, end);
    const bound = Math.min(end, from + idBytesMax + 1);
    let to = from;
    while (to < bound && isIdByte[body[to]!] === 1) to += 1;
    if (to === from || to === bound || body[to] !== quote) return careful(start, end);
    return body.toString("latin1", from, to);
  };
};

const isFlat = (body: Buffer, from: number, to: number): boolean => {
  if (to - from > flatBytesMax) return false;
  for (let i = from; i < to; i++) {
    const byte = body[i];
    if (byte === openBrace || byte === openBracket || byte === backslash) return false;
  }
  return true;
};

/** The careful way: byte by byte through strings and nesting. Linear, whatever the record holds. */
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
