import { assert, describe, it } from "vitest";
import { JobTable } from "../../src/streams/job-table.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { StoredJobs } from "../../src/streams/stored-jobs.ts";
import { storedJob } from "../support/world.ts";

const jobAt = (revision: number, customer: string, over: Parameters<typeof storedJob>[2] = {}) => {
  const { job } = storedJob("x", customer, over);
  return { stored: { job, revision }, data: encodeJob(job) };
};

/** `x` of acme is served at revision 1. */
const served = () => {
  const table = new JobTable(8);
  const stored = new StoredJobs(table, 8);
  const first = jobAt(1, "acme");
  table.put(first.stored, first.data);
  stored.put(first.stored, first.data);
  stored.settle(["x"]);
  const put = (revision: number, customer: string, over?: Parameters<typeof storedJob>[2]) => {
    const each = jobAt(revision, customer, over);
    stored.put(each.stored, each.data);
  };
  const puts = () => [...stored.pendingPuts()].map(({ pairKey, revision }) => `${pairKey}@${revision}`);
  const removals = () => [...stored.pendingRemovals()].map(({ pairKey, revision }) => `${pairKey}@${revision}`);
  return { put, puts, removals, stored, table };
};

describe("an id that is given to another customer", () => {
  for (const [what, isHeard] of [
    ["its removal was heard of", true],
    ["only the new job was", false],
  ] as const) {
    it(`is removed before it is another job: ${what}`, () => {
      const { put, puts, removals, stored, table } = served();
      if (isHeard) stored.delete("x", 2);
      put(isHeard ? 3 : 5, "beta");
      assert.deepStrictEqual([puts(), removals()], [[], [`acme.http_requests@${isHeard ? 2 : 4}`]]);
      assert.strictEqual(stored.heldBackFrom(), isHeard ? 3 : 5);
      assert.strictEqual(stored.get("x")?.job.customer, "beta");
      assert.strictEqual(stored.size, 1);
      const [removal] = stored.pendingRemovals();
      assert.include(Buffer.from(removal!.last).toString(), "acme", "with the settings of whom it was");
      table.delete("x");
      stored.settle(["x"]);
      assert.deepStrictEqual([puts(), removals()], [[`beta.http_requests@${isHeard ? 3 : 5}`], []]);
      assert.deepStrictEqual([stored.size, stored.heldBackFrom()], [1, undefined]);
    });
  }

  it("takes the removal of that one for one of the job that is served", () => {
    const { put, puts, removals, stored } = served();
    stored.delete("x", 2);
    put(3, "beta");
    stored.delete("x", 4);
    assert.deepStrictEqual([puts(), removals(), stored.size], [[], ["acme.http_requests@4"], 0]);
    assert.isUndefined(stored.heldBackFrom());
  });

  it("is as before when it is given back", () => {
    const { put, puts, removals, stored } = served();
    stored.delete("x", 2);
    put(3, "beta");
    stored.delete("x", 4);
    put(5, "acme");
    assert.deepStrictEqual([puts(), removals(), stored.size], [["acme.http_requests@5"], [], 1]);
  });

  it("is settled by a snapshot that has it already", () => {
    const { put, puts, removals, stored, table } = served();
    stored.delete("x", 2);
    put(3, "beta");
    const now = jobAt(3, "beta");
    table.put(now.stored, now.data);
    stored.settle(["x"]);
    assert.deepStrictEqual([puts(), removals(), stored.size, stored.has("x")], [[], [], 1, true]);
  });

  it("has been removed twice: read once more, the last removal is the one that waits", () => {
    const { removals, stored, table } = served();
    table.delete("x");
    stored.settle(["x"]);
    const { data, stored: first } = jobAt(1, "acme");
    stored.put(first, data);
    stored.delete("x", 2);
    stored.delete("x", 4);
    assert.deepStrictEqual([removals(), stored.size], [["acme.http_requests@4"], 0]);
  });

  it("is another job for another dataset, too", () => {
    const { put, puts, removals, stored } = served();
    stored.delete("x", 2);
    put(3, "acme", { dataset: "app_log" as never });
    assert.deepStrictEqual([puts(), removals(), stored.size], [[], ["acme.http_requests@2"], 1]);
  });
});
