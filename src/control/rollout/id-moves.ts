import type { SnapshotEntry } from "../../snapshot/segment.ts";

/** Ids that are jobs of one customer before, and of another, in another segment, after. */
export interface IdMoves {
  readonly add: (segment: number, before: ReadonlyArray<SnapshotEntry>, after: ReadonlyArray<SnapshotEntry>) => void;
  /** Adds the segments that such an id leaves to those that it comes to, so that it is never a job of both. */
  readonly complete: (segments: Set<number>) => void;
}

export const idMoves = (): IdMoves => {
  const left = new Map<string, number>();
  const come: Array<{ readonly id: string; readonly segment: number }> = [];
  return {
    add: (segment, before, after) => {
      const [were, are] = [servedIds(before), servedIds(after)];
      for (const id of were) if (!are.has(id)) left.set(id, segment);
      for (const id of are) if (!were.has(id)) come.push({ id, segment });
    },
    complete: (segments) => {
      // What is added may be where another one comes to.
      for (let size = -1; size !== segments.size;) {
        size = segments.size;
        for (const { id, segment } of come) {
          const from = left.get(id);
          if (from !== undefined && segments.has(segment)) segments.add(from);
        }
      }
    },
  };
};

const servedIds = (entries: ReadonlyArray<SnapshotEntry>): ReadonlySet<string> =>
  new Set(entries.filter(({ state }) => state !== "removed").map(({ id }) => id));
