/**
 * How many pushes a host gets at once: additive increase, multiplicative decrease. It starts small and doubles with
 * every round of successes until the first sign of overload; after that it grows by one a round and is halved at each
 * sign, once per round. Always between 1 and `max`.
 */
export class ConcurrencyWindow {
  private readonly max: number;
  private exact: number;
  private isSlowStart = true;
  /** Rises with every cut. */
  private cuts = 0;

  constructor(first: number, max: number) {
    this.max = max;
    this.exact = Math.min(first, max);
  }

  get size(): number {
    return Math.floor(this.exact);
  }

  /** What a push remembers from its beginning, for {@link overloaded}. */
  get round(): number {
    return this.cuts;
  }

  /** @param inFlight with the one that succeeded: a window that is not in use proves nothing and does not grow */
  succeeded(inFlight: number): void {
    if (inFlight * 2 < this.exact) return;
    this.exact = Math.min(this.max, this.exact + (this.isSlowStart ? 1 : 1 / this.exact));
  }

  /** @param round of the push that shows it: those that began before the last cut say nothing new */
  overloaded(round: number): void {
    if (round !== this.cuts) return;
    this.cuts += 1;
    this.isSlowStart = false;
    this.exact = Math.max(1, this.exact / 2);
  }
}
