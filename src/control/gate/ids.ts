import { segmentOf, segmentOfPair } from "../../domain/segment-of.ts";
import type { Change } from "./changes.ts";

/** The pair of the job that is served under an id; undefined: none is. */
export type ServedPair = (id: string) => string | undefined;

/**
 * An id is one job, also when it is given to another customer. A segment cannot say so, for it knows its own customers
 * only: two of them with the same id would both be served, and each of them now and then.
 */
export class Ids {
  /** Ids that begin to be served, and the segment. */
  private readonly begun = new Map<string, number>();
  private readonly ended = new Set<string>();
  private readonly twice = new Set<string>();

  add({ after, before, id }: Change): void {
    const [was, is] = [isServed(before), isServed(after)];
    if (was && !is) this.ended.add(keyOf(id, segmentOf(before!.customer)));
    if (was || !is) return;
    const segment = segmentOf(after!.customer);
    if ((this.begun.get(id) ?? segment) !== segment) this.twice.add(id);
    this.begun.set(id, segment);
  }

  servedTwice(servedPair: ServedPair): ReadonlyArray<string> {
    for (const [id, segment] of this.begun) {
      const pair = servedPair(id);
      const before = pair === undefined ? segment : segmentOfPair(pair);
      if (before !== segment && !this.ended.has(keyOf(id, before))) this.twice.add(id);
    }
    return [...this.twice];
  }
}

const isServed = (entry: Change["after"]): boolean => entry !== undefined && entry.state !== "removed";

const keyOf = (id: string, segment: number): string => `${segment} ${id}`;
