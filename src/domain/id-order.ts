import { FirstById } from "./first-by-id.ts";

/** Ids that are kept in order: some dozens of pages. */
const runIdsMax = 65_536;

/**
 * The ids of a large table in their order, a piece at a time: for lists that are read page by page. Looking at all ids
 * for each page of a million would take the thread a quarter of a second a thousand times; sorting them all takes their
 * memory once more. So one look finds the next few thousand, and the pages after it are read from those.
 *
 * Whatever was in the table throughout is met, once: the table says what is `added`, and who reads asks the table
 * whether an id is still there.
 */
export class IdOrder {
  private readonly ids: () => Iterable<string>;
  private readonly runMax: number;
  /** All ids after `from` up to the last of `run`, in order, and maybe some that have gone since. */
  private run: Array<string> | undefined;
  private from = "";
  /** There is nothing after the run. */
  private complete = false;

  /** @param ids all of the table, in any order */
  constructor(ids: () => Iterable<string>, runMax = runIdsMax) {
    this.ids = ids;
    this.runMax = runMax;
  }

  /** To be told when an id comes into the table. */
  added(id: string): void {
    const { run } = this;
    if (run === undefined || id <= this.from) return;
    const at = firstAfter(run, id);
    if (run[at - 1] === id || (at === run.length && !this.complete)) return;
    run.splice(at, 0, id);
    if (run.length < 2 * this.runMax) return;
    run.length = this.runMax;
    this.complete = false;
  }

  /** In order; of what has gone from the table, some may still be met. The table must not change meanwhile. */
  *after(cursor = ""): Generator<string> {
    let place = cursor;
    // Ends because each turn begins after the one before, and the table is finite.
    for (;;) {
      const run = this.runAfter(place);
      for (let at = firstAfter(run, place); at < run.length; at++) yield run[at]!;
      if (this.complete) return;
      place = run.at(-1)!;
    }
  }

  /** One that has something after the place, if the table has. */
  private runAfter(place: string): ReadonlyArray<string> {
    const { run } = this;
    const last = run?.at(-1);
    if (run !== undefined && place >= this.from && (this.complete || (last !== undefined && place < last))) return run;
    const first = new FirstById<string>(this.runMax + 1, (id) => id);
    for (const id of this.ids()) if (id > place) first.add(id);
    const found = [...first.list()];
    this.complete = found.length <= this.runMax;
    if (!this.complete) found.pop();
    this.from = place;
    return (this.run = found);
  }
}

/** Where the ids after this one begin. */
const firstAfter = (sorted: ReadonlyArray<string>, id: string): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= id) low = middle + 1;
    else high = middle;
  }
  return low;
};
