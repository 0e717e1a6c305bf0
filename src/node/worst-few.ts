/** The highest of many values, at most so many of them; the others are only counted. */
export class WorstFew<A> {
  private readonly most: number;
  private readonly kept: Array<{ readonly value: number; readonly of: A }> = [];
  private least = 0;
  private breaching = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Values of 0 are nothing to complain of, and are passed over. */
  add(value: number, breaches: boolean, of: A): void {
    if (value <= 0) return;
    if (breaches) this.breaching += 1;
    if (this.kept.length < this.most) this.kept.push({ value, of });
    else if (value > this.kept[this.least]!.value) this.kept[this.least] = { value, of };
    else return;
    if (this.kept.length < this.most) return;
    this.least = 0;
    for (let i = 1; i < this.kept.length; i++) if (this.kept[i]!.value < this.kept[this.least]!.value) this.least = i;
  }

  list(): ReadonlyArray<{ readonly value: number; readonly of: A }> {
    return this.kept;
  }

  /** How many breach that are not in the list. */
  unlisted(): number {
    return Math.max(0, this.breaching - this.most);
  }
}
