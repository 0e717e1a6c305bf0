const quote = 0x22;
const backslash = 0x5c;

/**
 * The value of a top-level string field of the JSON object in `[start, end)`, or null when there is none: the careful
 * way, byte by byte, for records in which the quick search finds nothing or something nested. The first occurrence
 * counts. A key or value with escapes is not recognised.
 *
 * @param name the key as JSON writes it, quotes included
 */
export const findTopLevelString = (body: Buffer, start: number, end: number, name: string): string | null => {
  let depth = 0;
  for (let i = start; i < end; i++) {
    const byte = body[i]!;
    if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    else if (byte === quote) {
      const close = endOfString(body, i, end);
      if (close === -1) return null;
      const colon = skipBlanks(body, close + 1, end);
      if (depth === 1 && body[colon] === 0x3a && body.toString("utf8", i, close + 1) === name) {
        return stringAt(body, skipBlanks(body, colon + 1, end), end);
      }
      i = close;
    }
  }
  return null;
};

const stringAt = (body: Buffer, open: number, end: number): string | null => {
  if (body[open] !== quote) return null;
  const close = endOfString(body, open, end);
  return close === -1 ? null : body.toString("utf8", open + 1, close);
};

/** Index of the closing quote, or -1. */
const endOfString = (body: Buffer, open: number, end: number): number => {
  for (let i = open + 1; i < end; i++) {
    if (body[i] === backslash) i += 1;
    else if (body[i] === quote) return i;
  }
  return -1;
};

const skipBlanks = (body: Buffer, from: number, end: number): number => {
  let i = from;
  while (i < end && (body[i] === 0x20 || body[i] === 0x09)) i += 1;
  return i;
};
