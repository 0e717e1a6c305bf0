import type { JobSet } from "../actors/ports/jobs.ts";
import { makePair, type Pair, pairKey } from "../domain/partition.ts";
import type { StoredJob } from "../domain/push-job.ts";

/** What changed since a set was made: the job as it is now, or undefined when it was removed. Keyed by job id. */
export type JobChanges = ReadonlyMap<string, StoredJob | undefined>;

/**
 * The set after `changes`, at `number`. The set before stays as it was, for whoever still reads it. Pairs that did not
 * change keep their objects, so that a reader may compare them by identity.
 */
export const reviseJobSet = (before: JobSet, changes: JobChanges, number: number, partitions: number): JobSet => {
  if (changes.size === 0) return { ...before, number };
  const byId = new Map(before.byId);
  const byPair = new Map(before.byPair);
  const pairs = new Map(before.pairs);
  const touched = new Set<string>();
  for (const [id, now] of changes) {
    const earlier = byId.get(id);
    if (earlier !== undefined) touched.add(keyOf(earlier));
    if (now === undefined) byId.delete(id);
    else {
      byId.set(id, now);
      touched.add(keyOf(now));
    }
  }
  // Jobs of a pair that did not change stay; those that did are taken out here and put back as they are now.
  const lists = new Map<string, Array<StoredJob>>();
  for (const key of touched)
    lists.set(
      key,
      (byPair.get(key) ?? []).filter(({ job }) => !changes.has(job.id)),
    );
  for (const now of changes.values()) if (now !== undefined) lists.get(keyOf(now))?.push(now);
  for (const [key, jobs] of lists) replacePair(key, jobs, { byPair, pairs }, partitions);
  return { number, byId, pairs, byPair };
};

const keyOf = ({ job }: StoredJob): string => pairKey(job.customer, job.dataset);

const replacePair = (
  key: string,
  jobs: ReadonlyArray<StoredJob>,
  { byPair, pairs }: { readonly byPair: Map<string, ReadonlyArray<StoredJob>>; readonly pairs: Map<string, Pair> },
  partitions: number,
): void => {
  const [first] = jobs;
  if (first === undefined) {
    byPair.delete(key);
    pairs.delete(key);
    return;
  }
  // By id, so that the same jobs make the same set whatever the order in which they came.
  byPair.set(
    key,
    jobs.toSorted((a, b) => (a.job.id < b.job.id ? -1 : 1)),
  );
  if (!jobs.some(({ job }) => job.enabled)) pairs.delete(key);
  else if (!pairs.has(key)) pairs.set(key, makePair(first.job.customer, first.job.dataset, partitions));
};
