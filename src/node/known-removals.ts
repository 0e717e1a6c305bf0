import { Result } from "effect";
import { segmentOfPair } from "../domain/segment-of.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../snapshot/snapshot.ts";
import type { StoredJobs } from "../streams/stored-jobs.ts";

/**
 * Settles removals that are in force: read once more, from before where they were ordered, such a removal looks like
 * one of a job that nobody serves yet. It would be pending for ever, for there is nothing to be changed.
 */
export const settleKnownRemovals = (stored: StoredJobs, inForce: Snapshot | undefined): void => {
  if (inForce === undefined) return;
  const read = new Map<number, ReadonlyArray<SnapshotEntry>>();
  const known: Array<string> = [];
  for (const { id, last, pairKey, revision } of stored.pendingRemovals()) {
    // It is served: then its removal is not in force.
    if (last.length > 0) continue;
    const segment = segmentOfPair(pairKey);
    const entries = read.get(segment) ?? Result.getOrElse(entriesOf(inForce, segment), () => []);
    read.set(segment, entries);
    const entry = entries.find((each) => each.id === id);
    if (entry?.state === "removed" && entry.revision === revision) known.push(id);
  }
  stored.settle(known);
};
