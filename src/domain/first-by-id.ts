/**
 * The `limit` first ids of those added, in order. Sorting a hundred thousand ids for each page takes longer than a page
 * may; keeping the first few of them takes one comparison for nearly each, and nothing has to be kept between pages.
 */
export class FirstById<A> {
  private readonly limit: number;
  private readonly idOf: (each: A) => string;
  private kept: Array<A> = [];
  /** Nothing after it is among the first any more. */
  private last: string | undefined;

  constructor(limit: number, idOf: (each: A) => string) {
    this.limit = limit;
    this.idOf = idOf;
  }

  /** Whether it would be kept: for those who can spare themselves a closer look. */
  wants(id: string): boolean {
    return this.last === undefined || id < this.last;
  }

  add(each: A): void {
    if (!this.wants(this.idOf(each))) return;
    this.kept.push(each);
    if (this.kept.length >= 2 * this.limit + 64) this.shrink();
  }

  list(): ReadonlyArray<A> {
    this.shrink();
    return this.kept;
  }

  private shrink(): void {
    this.kept = this.kept.toSorted((a, b) => (this.idOf(a) < this.idOf(b) ? -1 : 1)).slice(0, this.limit);
    const last = this.kept.at(-1);
    if (this.kept.length === this.limit && last !== undefined) this.last = this.idOf(last);
  }
}
