import { mix32, unmix32 } from "./seeded-random.ts";

/**
 * Ray ids that look random and are not: 16 hex digits, the first 8 a bijection of the record's global index under the
 * seed, the last 8 a checksum of the first. So an id read back names the record that was sent, and neither another
 * run's
 * id nor a corrupted one passes for ours.
 */
export interface RayIds {
  /** Writes the 16 digits of the record with this index (below 2^32). */
  readonly write: (index: number, target: Uint8Array, offset: number) => void;
  /** The index of the id at this place; undefined when no record of this seed can have it. */
  readonly read: (source: Uint8Array, offset: number) => number | undefined;
}

export const rayIdDigits = 16;

export const rayIds = (seed: number): RayIds => {
  const key = mix32(seed ^ 0x52617949);
  const checkOf = (high: number) => (mix32(high ^ 0x63686563) ^ key) >>> 0;
  return {
    write: (index, target, offset) => {
      const high = mix32(index ^ key);
      writeHex(high, target, offset);
      writeHex(checkOf(high), target, offset + 8);
    },
    read: (source, offset) => {
      const high = readHex(source, offset);
      if (high === undefined || readHex(source, offset + 8) !== checkOf(high)) return undefined;
      return (unmix32(high) ^ key) >>> 0;
    },
  };
};

const digits = Buffer.from("0123456789abcdef");

const writeHex = (value: number, target: Uint8Array, offset: number): void => {
  for (let place = 7, rest = value; place >= 0; place--, rest >>>= 4)
    target[offset + place] = digits[rest & 15] as number;
};

const readHex = (source: Uint8Array, offset: number): number | undefined => {
  let value = 0;
  for (let place = 0; place < 8; place++) {
    const byte = source[offset + place] ?? 0;
    const digit = byte >= 48 && byte <= 57 ? byte - 48 : byte >= 97 && byte <= 102 ? byte - 87 : -1;
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
};
