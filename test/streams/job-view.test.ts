import { assert, describe, it } from "vitest";
import type { PushJob, StoredJob } from "../../src/domain/push-job.ts";
import { makeJobView } from "../../src/streams/job-view.ts";

const job = (id: string) => ({ id }) as unknown as PushJob;

/** A feed whose progress the test decides. */
const world = () => {
  const entries = new Map<string, StoredJob>();
  let position = 0;
  const idsAfter = (after = "") => [...entries.keys()].filter((id) => id > after).toSorted();
  const view = makeJobView({
    entries: Object.assign(entries, { idsAfter }),
    position: () => position,
    nudge: () => {},
  });
  const read = (to: number, id: string, now: PushJob | undefined) => {
    if (now === undefined) entries.delete(id);
    else entries.set(id, { job: now, revision: to });
    position = to;
  };
  return { view, read };
};

const ids = (list: ReadonlyArray<StoredJob>) => list.map((each) => `${each.job.id}@${each.revision}`);

describe("what a node sees of the stored jobs", () => {
  it("has its own writes at once, and the feed's once it has read past them", () => {
    const { read, view } = world();
    read(1, "a", job("a"));
    view.wrote("b", 3, job("b"));
    view.wrote("a", 4, job("a"));
    assert.deepStrictEqual(ids(view.page(undefined, 100).items), ["a@4", "b@3"]);
    assert.strictEqual(view.count(), 2);
    read(3, "b", job("b"));
    assert.deepStrictEqual(ids(view.page(undefined, 100).items), ["a@4", "b@3"]);
    read(4, "a", job("a"));
    read(5, "a", job("a"));
    assert.deepStrictEqual(ids(view.page(undefined, 100).items), ["a@5", "b@3"]);
  });

  it("does not see again what it removed while the feed is behind", () => {
    const { read, view } = world();
    read(1, "a", job("a"));
    view.wrote("a", 3, undefined);
    read(2, "a", job("a"));
    assert.isUndefined(view.get("a"));
    assert.deepStrictEqual(view.page(undefined, 100).items, []);
    assert.strictEqual(view.count(), 0);
    read(3, "a", undefined);
    read(4, "a", job("a"));
    assert.deepStrictEqual(ids(view.page(undefined, 100).items), ["a@4"]);
  });
});
