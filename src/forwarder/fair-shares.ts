import type { Pair } from "../domain/partition.ts";

/** Rates are means over about so many seconds. */
const rateSeconds = 60;
/** What is less than this is forgotten. */
const bytesPerSecondMin = 1;

/** How fast each pair of one partition has been publishing through this door, and what of it is more than its share. */
export class FairShares {
  /** Decayed bytes per pair; only pairs of the served set come in, and the silent are forgotten. */
  private readonly bytes = new Map<string, number>();
  private decayedMillis: number;
  private levelBytesPerSecond = Number.POSITIVE_INFINITY;

  constructor(nowMillis: number) {
    this.decayedMillis = nowMillis;
  }

  get size(): number {
    return this.bytes.size;
  }

  add({ key }: Pair, bytes: number): void {
    this.bytes.set(key, (this.bytes.get(key) ?? 0) + bytes);
  }

  /** Bytes a second. */
  rateOf(key: string): number {
    return (this.bytes.get(key) ?? 0) / rateSeconds;
  }

  /** Called about once a second. @param share of the present rate that may go on; 1: nobody is over */
  settle(share: number, nowMillis: number): void {
    const seconds = Math.max(0, nowMillis - this.decayedMillis) / 1_000;
    this.decayedMillis = nowMillis;
    const factor = Math.exp(-seconds / rateSeconds);
    for (const [key, bytes] of this.bytes) {
      const left = bytes * factor;
      if (left < bytesPerSecondMin * rateSeconds) this.bytes.delete(key);
      else this.bytes.set(key, left);
    }
    const rates = share >= 1 ? [] : [...this.bytes.keys()].map((key) => this.rateOf(key));
    this.levelBytesPerSecond = fairLevel(rates, share);
  }

  hasLimit(): boolean {
    return this.levelBytesPerSecond !== Number.POSITIVE_INFINITY;
  }

  isOverShare(key: string): boolean {
    return this.rateOf(key) > this.levelBytesPerSecond;
  }
}

/**
 * Max-min fairness: the level at which rates must be cut off for their sum to fall to its share. Whoever is below it is
 * not touched, and the largest pay first.
 */
export const fairLevel = (rates: ReadonlyArray<number>, share: number): number => {
  if (share >= 1 || rates.length === 0) return Number.POSITIVE_INFINITY;
  const ascending = rates.toSorted((a, b) => a - b);
  let left = share * ascending.reduce((sum, rate) => sum + rate, 0);
  for (const [i, rate] of ascending.entries()) {
    const equal = left / (ascending.length - i);
    if (rate > equal) return equal;
    left -= rate;
  }
  return Number.POSITIVE_INFINITY;
};
