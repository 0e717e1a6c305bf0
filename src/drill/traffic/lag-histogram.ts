/** Buckets grow by 2 %: a quantile is that exact, from 1 ms to an hour. */
const growth = 1.02;
const buckets = 770;
const logGrowth = Math.log(growth);

/** Delays in milliseconds, counted in buckets of a fixed relative width. */
export class LagHistogram {
  readonly counts = new Uint32Array(buckets);
  count = 0;

  add(millis: number): void {
    const bucket = millis <= 1 ? 0 : Math.min(buckets - 1, Math.ceil(Math.log(millis) / logGrowth));
    this.counts[bucket]! += 1;
    this.count += 1;
  }

  merge(other: LagHistogram): void {
    for (let i = 0; i < buckets; i++) this.counts[i]! += other.counts[i]!;
    this.count += other.count;
  }

  /** The upper end of the bucket in which the quantile lies; null without a single delay. @param share 0 to 1 */
  quantile(share: number): number | null {
    if (this.count === 0) return null;
    let left = Math.ceil(share * this.count);
    for (let i = 0; i < buckets; i++) {
      left -= this.counts[i]!;
      if (left <= 0) return growth ** i;
    }
    return growth ** (buckets - 1);
  }
}
