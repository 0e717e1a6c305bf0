/** Newcomers are counted over windows of so many seconds. */
const windowSeconds = 5;

/**
 * How many newcomers want in, whether or not they get in: those who are held back come again, and a surge is not over
 * because it was kept out. Each counts once per window, so that one that tries again and again is one.
 */
export class NewcomerDemand {
  private readonly perWindowMax: number;
  private readonly keys = new Set<string>();
  private lastWindow = 0;
  private sinceMillis: number;

  /** @param perSecondMax more than this many need not be told apart: the table is bounded by it */
  constructor(perSecondMax: number, nowMillis: number) {
    this.perWindowMax = perSecondMax * windowSeconds;
    this.sinceMillis = nowMillis;
  }

  add(key: string, nowMillis: number): void {
    this.turn(nowMillis);
    if (this.keys.size < this.perWindowMax) this.keys.add(key);
  }

  /** Of this window or the last one, whichever had more: what has just begun is seen at once. */
  perSecond(nowMillis: number): number {
    this.turn(nowMillis);
    return Math.max(this.keys.size, this.lastWindow) / windowSeconds;
  }

  private turn(nowMillis: number): void {
    const windows = (nowMillis - this.sinceMillis) / (windowSeconds * 1_000);
    // A clock that was set back begins a window anew.
    if (windows >= 0 && windows < 1) return;
    this.lastWindow = windows >= 2 ? 0 : this.keys.size;
    this.keys.clear();
    this.sinceMillis = nowMillis;
  }
}
