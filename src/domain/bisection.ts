import type { Tally } from "./books.ts";

/**
 * How far a batch that was refused for its data has been taken apart. JSON only: it lives in the actor's context, and
 * in the row before the part that it names is pushed. Records are counted from the batch's first, 0-based.
 */
export interface Bisection {
  /** Records before this one are settled: delivered, or dead letters. */
  readonly done: number;
  /** The next attempt is of `[done, done + size)`. */
  readonly size: number;
  /** A refused range ended here: one of the records before it is refused; null when none is known. */
  readonly suspectTo: number | null;
  readonly delivered: Tally;
  readonly dead: Tally;
  /** Dead letters since the last delivery. */
  readonly deadInRow: number;
}

const nothing: Tally = { records: 0, bytes: 0 };
const plus = (a: Tally, b: Tally): Tally => ({ records: a.records + b.records, bytes: a.bytes + b.bytes });

/** A batch of `records`, more than one, was refused as a whole. */
export const beginBisection = (records: number): Bisection => ({
  done: 0,
  size: half(records),
  suspectTo: records,
  delivered: nothing,
  dead: nothing,
  deadInRow: 0,
});

/** The attempt of `[done, done + size)`, more than one record, was refused. */
export const halve = (bisection: Bisection): Bisection => ({
  ...bisection,
  suspectTo: bisection.done + bisection.size,
  size: half(bisection.size),
});

/** The attempt was delivered. */
export const passDelivered = (bisection: Bisection, records: number, written: Tally): Bisection => {
  const done = bisection.done + bisection.size;
  const { suspectTo } = bisection;
  // With one refused record in the batch this is a binary search: log2(records) + 2 pushes.
  const isSuspected = suspectTo !== null && done < suspectTo;
  return {
    ...bisection,
    done,
    size: isSuspected ? half(suspectTo - done) : records - done,
    suspectTo: isSuspected ? suspectTo : null,
    delivered: plus(bisection.delivered, written),
    deadInRow: 0,
  };
};

/** The one record at `done` was refused, and is a dead letter now. */
export const passDead = (bisection: Bisection, records: number, written: Tally): Bisection => {
  const done = bisection.done + 1;
  return {
    ...bisection,
    done,
    size: records - done,
    suspectTo: null,
    dead: plus(bisection.dead, written),
    deadInRow: bisection.deadInRow + 1,
  };
};

const half = (records: number): number => Math.ceil(records / 2);
