/** A sum whose parts are forgotten with time: divided by its seconds it is a rate, smooth and in one number. */
export class DecayingSum {
  private readonly seconds: number;
  private sum = 0;
  private atMillis: number;

  /** @param seconds after which a part has shrunk to 37 % */
  constructor(seconds: number, nowMillis: number) {
    this.seconds = seconds;
    this.atMillis = nowMillis;
  }

  add(amount: number, nowMillis: number): void {
    this.decay(nowMillis);
    this.sum += amount;
  }

  perSecond(nowMillis: number): number {
    this.decay(nowMillis);
    return this.sum / this.seconds;
  }

  private decay(nowMillis: number): void {
    // A clock that was set back decays nothing.
    if (nowMillis > this.atMillis) this.sum *= Math.exp((this.atMillis - nowMillis) / 1_000 / this.seconds);
    this.atMillis = nowMillis;
  }
}
