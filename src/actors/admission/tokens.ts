/** A bucket of tokens that fills by time. Time comes in; a clock that is set back fills nothing and takes nothing. */
export class Tokens {
  private available: number;
  private readonly burst: () => number;
  private readonly perSecond: () => number;
  private filledMillis: number;

  /** Full at first. @param perSecond may change from question to question, as may `burst` */
  constructor(perSecond: () => number, burst: () => number, nowMillis: number) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.available = burst();
    this.filledMillis = nowMillis;
  }

  /** What is there; below 0 after `spend` took more than there was. */
  at(nowMillis: number): number {
    const seconds = Math.max(0, nowMillis - this.filledMillis) / 1_000;
    this.filledMillis = nowMillis;
    this.available = Math.min(this.burst(), this.available + seconds * this.perSecond());
    return this.available;
  }

  /** Takes so many, whether or not they are there: what is missing delays the next. */
  spend(tokens: number): void {
    this.available -= tokens;
  }
}
