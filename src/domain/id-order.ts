import { FirstById } from "./first-by-id.ts";

/** Ids that are kept in order: some dozens of pages. */
const runIdsMax = 65_536;
/** Readers who are at different places at the same time, and do not take each other's run away. */
const runsMax = 3;

interface Run {
  /** All ids after this one up to the last of `ids` are in `ids`. */
  readonly from: string;
  /** In order; maybe with some that have gone since. */
  readonly ids: Array<string>;
  /** There is nothing after the last. */
  complete: boolean;
}

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
  /** The one that was read last is the last. */
  private readonly runs: Array<Run> = [];

  /** @param ids all of the table, in any order */
  constructor(ids: () => Iterable<string>, runMax = runIdsMax) {
    this.ids = ids;
    this.runMax = runMax;
  }

  /** To be told when an id comes into the table. */
  added(id: string): void {
    for (const run of this.runs) insert(run, id, this.runMax);
  }

  /** In order; of what has gone from the table, some may still be met. The table must not change meanwhile. */
  *after(cursor = ""): Generator<string> {
    let place = cursor;
    // Ends because each turn begins after the one before, and the table is finite.
    for (;;) {
      const { complete, ids } = this.runAfter(place);
      for (let at = firstAfter(ids, place); at < ids.length; at++) yield ids[at]!;
      if (complete) return;
      place = ids.at(-1)!;
    }
  }

  /** One that has something after the place, if the table has. */
  private runAfter(place: string): Run {
    const at = this.runs.findIndex((run) => reaches(run, place));
    const run = at < 0 ? this.look(place) : this.runs.splice(at, 1)[0]!;
    this.runs.push(run);
    if (this.runs.length > runsMax) this.runs.shift();
    return run;
  }

  private look(place: string): Run {
    const first = new FirstById<string>(this.runMax + 1, (id) => id);
    for (const id of this.ids()) if (id > place) first.add(id);
    const found = first.list();
    return { from: place, ids: found.slice(0, this.runMax), complete: found.length <= this.runMax };
  }
}

const reaches = ({ complete, from, ids }: Run, place: string): boolean => {
  const last = ids.at(-1);
  return place >= from && (complete || (last !== undefined && place < last));
};

const insert = (run: Run, id: string, runMax: number): void => {
  const { complete, from, ids } = run;
  if (id <= from) return;
  const at = firstAfter(ids, id);
  if (ids[at - 1] === id || (at === ids.length && !complete)) return;
  ids.splice(at, 0, id);
  if (ids.length < 2 * runMax) return;
  ids.length = runMax;
  run.complete = false;
};

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
