/** Whole numbers in [0, below). */
export type Random = (below: number) => number;

/** Marsaglia's xorshift32: the same numbers for the same seed, on every machine. */
export const seededRandom = (seed: number): Random => {
  let state = mix32(seed + 0x9e3779b9) || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
};

/** A bijection of 32-bit numbers that leaves no pattern (murmur3's finalizer). */
export const mix32 = (value: number): number => {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

/** The inverse of `mix32`. */
export const unmix32 = (mixed: number): number => {
  let value = mixed ^ (mixed >>> 16);
  value = Math.imul(value, 0x7ed1b41d);
  value = Math.imul(value ^ (value >>> 13) ^ (value >>> 26), 0xa5cb9243);
  return (value ^ (value >>> 16)) >>> 0;
};

/** Shuffles in place (Fisher–Yates). */
export const shuffle = <A>(items: Array<A>, random: Random): Array<A> => {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random(last + 1);
    [items[last], items[other]] = [items[other] as A, items[last] as A];
  }
  return items;
};
