import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { briefOf, briefsOf, changedIds, emptyJobSet, type JobSet } from "../../src/actors/ports/jobs.ts";
import { pairKey } from "../../src/domain/partition.ts";
import type { PushJob, StoredJob } from "../../src/domain/push-job.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { storedJob } from "../support/world.ts";

const partitions = 8;

const stored = (id: string, customer: string, enabled: boolean, revision: number): StoredJob =>
  storedJob(id, customer, { dataset: "d" as PushJob["dataset"], enabled }, revision);

/** A few ids and customers, so that changes meet. */
const change = fc.record({
  id: fc.constantFrom("a", "b", "c", "d"),
  customer: fc.constantFrom("x", "y"),
  enabled: fc.boolean(),
  removed: fc.boolean(),
});

/** The set as its definition says, from the jobs alone. */
const expected = (jobs: ReadonlyMap<string, StoredJob>) => {
  const all = [...jobs.values()].toSorted((a, b) => (a.job.id < b.job.id ? -1 : 1));
  const keys = [...new Set(all.map(({ job }) => pairKey(job.customer, job.dataset)))].toSorted();
  const of = (key: string) => all.filter(({ job }) => pairKey(job.customer, job.dataset) === key);
  const pairs = keys.filter((key) => of(key).some(({ job }) => job.enabled));
  return {
    byId: all,
    byPair: keys.map((key): [string, ReadonlyArray<StoredJob>] => [key, of(key)]),
    pairs,
    sizes: [all.length, keys.length, pairs.length],
    briefs: all.map(({ job, revision }) => [job.id, pairKey(job.customer, "d"), revision, job.enabled]),
  };
};

const shape = (set: JobSet) => ({
  byId: [...set.byId.values()].toSorted((a, b) => (a.job.id < b.job.id ? -1 : 1)),
  byPair: [...set.byPair].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  pairs: [...set.pairs.keys()].toSorted(),
  sizes: [set.byId.size, set.byPair.size, set.pairs.size],
  briefs: [...briefsOf(set)]
    .map(([id, { enabled, pairKey: key, revision }]) => [id, key, revision, enabled])
    .toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
});

const apply = (table: JobTable, id: string, now: StoredJob | undefined) =>
  now === undefined ? table.delete(id) : table.put(now);

describe("a table of push jobs", () => {
  it("changed step by step gives the sets that its jobs make, tells what changed, and leaves earlier sets alone", () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 10 }), (steps) => {
        const table = new JobTable(partitions);
        const jobs = new Map<string, StoredJob>();
        const sets: Array<{ readonly set: JobSet; readonly shape: ReturnType<typeof expected> }> = [];
        let revision = 0;
        for (const step of steps) {
          for (const { customer, enabled, id, removed } of step) {
            revision += 1;
            const now = removed ? undefined : stored(id, customer, enabled, revision);
            apply(table, id, now);
            if (now === undefined) jobs.delete(id);
            else jobs.set(id, now);
          }
          const set = table.set(revision);
          assert.strictEqual(set.number, revision);
          sets.push({ set, shape: expected(jobs) });
        }
        for (const { set, shape: as } of sets) assert.deepStrictEqual(shape(set), as);
        for (const [i, { set }] of sets.entries()) {
          const before = sets[Math.max(0, i - 2)]!.set;
          const differs = (id: string) => before.byId.get(id)?.revision !== set.byId.get(id)?.revision;
          assert.sameMembers([...changedIds(before, set)], ["a", "b", "c", "d"].filter(differs));
          assert.sameMembers([...changedIds(emptyJobSet, set)], [...set.byId.keys()]);
        }
      }),
    );
  });

  it("gives one object for a pair, whichever set is asked, and one map as long as no pair comes or goes", () => {
    const table = new JobTable(partitions);
    table.put(stored("a", "x", true, 1));
    const before = table.set(1);
    const pair = before.pairs.get("x.d");
    assert.deepInclude(pair, { customer: "x", dataset: "d", key: "x.d" });
    table.put(stored("b", "y", true, 2));
    assert.strictEqual(table.set(2).pairs.get("x.d"), pair);
    const two = table.set(2).pairs;
    table.put({ ...stored("b", "y", true, 3), job: { ...stored("b", "y", true, 3).job, weight: 2 } });
    assert.strictEqual(table.set(3).pairs, two);
    assert.strictEqual(table.set(3).byId.get("b")?.job.weight, 2);
    assert.isUndefined(before.byId.get("b"));
  });

  it("lets a customer in as long as one job of the pair is enabled", () => {
    const table = new JobTable(partitions);
    table.put(stored("a", "x", true, 1));
    table.put(stored("b", "x", false, 2));
    assert.isTrue(table.set(2).pairs.has("x.d"));
    table.put(stored("a", "x", false, 3));
    const none = table.set(3);
    assert.isFalse(none.pairs.has("x.d"));
    assert.lengthOf(none.byPair.get("x.d") ?? [], 2);
    assert.deepStrictEqual(briefOf(none, "a"), { pairKey: "x.d", revision: 3, enabled: false });
  });
});
