import { assert, describe, it } from "vitest";
import * as fc from "fast-check";
import { emptyJobSet, type JobSet } from "../../src/actors/ports/jobs.ts";
import { pairKey } from "../../src/domain/partition.ts";
import type { PushJob, StoredJob } from "../../src/domain/push-job.ts";
import { reviseJobSet } from "../../src/streams/job-set.ts";

const partitions = 8;

const stored = (id: string, customer: string, enabled: boolean, revision: number): StoredJob => ({
  job: { id, customer, dataset: "d", enabled } as unknown as PushJob,
  revision,
});

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
  return {
    byId: all,
    byPair: keys.map((key): [string, ReadonlyArray<StoredJob>] => [key, of(key)]),
    pairs: keys.filter((key) => of(key).some(({ job }) => job.enabled)),
  };
};

const shape = (set: JobSet) => ({
  byId: [...set.byId.values()].toSorted((a, b) => (a.job.id < b.job.id ? -1 : 1)),
  byPair: [...set.byPair].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  pairs: [...set.pairs.keys()].toSorted(),
});

describe("a set of push jobs", () => {
  it("revised step by step is what its jobs make it", () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 10 }), (steps) => {
        let set = emptyJobSet;
        const jobs = new Map<string, StoredJob>();
        let revision = 0;
        for (const step of steps) {
          const changes = new Map<string, StoredJob | undefined>();
          for (const { customer, enabled, id, removed } of step) {
            revision += 1;
            const now = removed ? undefined : stored(id, customer, enabled, revision);
            changes.set(id, now);
            if (now === undefined) jobs.delete(id);
            else jobs.set(id, now);
          }
          set = reviseJobSet(set, changes, revision, partitions);
          assert.strictEqual(set.number, revision);
          assert.deepStrictEqual(shape(set), expected(jobs));
        }
      }),
    );
  });

  it("is not changed by the sets that follow it", () => {
    const before = reviseJobSet(emptyJobSet, new Map([["a", stored("a", "x", true, 1)]]), 1, partitions);
    const kept = shape(before);
    const pair = before.pairs.get("x.d");
    const after = reviseJobSet(before, new Map([["a", undefined]]), 2, partitions);
    assert.deepStrictEqual(shape(before), kept);
    assert.strictEqual(after.pairs.size, 0);
    const touched = reviseJobSet(before, new Map([["b", stored("b", "y", true, 3)]]), 3, partitions);
    assert.strictEqual(touched.pairs.get("x.d"), pair);
  });

  it("lets a customer in as long as one job of the pair is enabled", () => {
    const one = reviseJobSet(
      emptyJobSet,
      new Map([
        ["a", stored("a", "x", true, 1)],
        ["b", stored("b", "x", false, 2)],
      ]),
      2,
      partitions,
    );
    assert.isTrue(one.pairs.has("x.d"));
    const none = reviseJobSet(one, new Map([["a", stored("a", "x", false, 3)]]), 3, partitions);
    assert.isFalse(none.pairs.has("x.d"));
    assert.lengthOf(none.byPair.get("x.d") ?? [], 2);
  });
});
