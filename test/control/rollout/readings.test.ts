import { assert, describe, it } from "@effect/vitest";
import { reading } from "../../../src/control/rollout/readings.ts";
import type { ChangedSignals, NodeReport, NodeSignals } from "../../../src/streams/config-messages.ts";

const unchanged: ChangedSignals = {
  attempts: 0,
  failures: 0,
  attemptsBefore: 0,
  failuresBefore: 0,
  buffers: 0,
  buffersBefore: 0,
};
const fine: NodeSignals = {
  number: 9,
  deliveredPerSecond: 1_000,
  deliveredPerSecondBefore: 1_000,
  attempts: 1_000,
  failures: 10,
  attemptsBefore: 2_000,
  failuresBefore: 20,
  backlogBytes: 1_000_000,
  backlogBytesBefore: 1_000_000,
  buffers: 1_000,
  buffersBefore: 1_000,
  changed: unchanged,
};

const reportOf = (signals: NodeSignals | null, node = "a"): NodeReport => ({
  node,
  serves: null,
  refused: null,
  signals,
});

/** What is wrong with it, on two nodes of which one is well. */
const breach = (over: Partial<NodeSignals>, added = 0) =>
  reading([reportOf({ ...fine, ...over }), reportOf(fine, "b")], { number: 9, added })?.breached;
const changes = (over: Partial<ChangedSignals>): Partial<NodeSignals> => ({ changed: { ...unchanged, ...over } });

describe("a reading", () => {
  it("is none when no node tells of this snapshot", () => {
    assert.isUndefined(reading([], { number: 9, added: 0 }));
    assert.isUndefined(reading([reportOf(null), reportOf({ ...fine, number: 8 })], { number: 9, added: 0 }));
    assert.deepStrictEqual(reading([reportOf(fine)], { number: 9, added: 0 }), { breached: null });
  });

  it("is a breach for each thing that goes worse for jobs that are as they were", () => {
    assert.isNull(breach({ failures: 200 }));
    assert.strictEqual(breach({ failures: 230 }), "12.0 % of the pushes fail, 1.0 % before");
    assert.isNull(breach({ deliveredPerSecond: 0 }), "half of it, on both");
    assert.isNull(breach({ deliveredPerSecond: 1 }));
    assert.strictEqual(
      reading([reportOf({ ...fine, deliveredPerSecond: 499 })], { number: 9, added: 0 })?.breached,
      "499 records/s are delivered, 1000 before",
    );
    assert.isNull(breach({ backlogBytes: 19_000_000 }));
    assert.strictEqual(breach({ backlogBytes: 20_000_000 }), "21000000 bytes wait, 2000000 before");
    assert.isNull(breach({ buffers: 2_100 }));
    assert.strictEqual(breach({ buffers: 2_101 }), "there are 3101 buffers, 2000 before");
  });

  it("leaves alone what is next to nothing", () => {
    assert.isNull(reading([reportOf({ ...fine, attempts: 19, failures: 19 })], { number: 9, added: 0 })?.breached);
    const little = { ...fine, deliveredPerSecond: 0, deliveredPerSecondBefore: 9 };
    assert.isNull(reading([reportOf(little)], { number: 9, added: 0 })?.breached);
  });

  it("lets what was changed deliver less, and have the buffers that it orders, but no more", () => {
    assert.isNull(breach(changes({ buffersBefore: 5_000, attemptsBefore: 10_000 })), "most of it was removed");
    assert.isNull(breach(changes({ buffers: 3_100 }), 3_000));
    assert.strictEqual(
      breach(changes({ buffers: 3_101 }), 3_000),
      "there are 3101 buffers, 0 before, and 3000 jobs more",
    );
    assert.isNotNull(breach({ buffers: 3_101 }, 3_000), "jobs that are as they were got no more by it");
  });

  it("is a breach when the pushes of what was changed fail, however many others go well", () => {
    assert.isNull(breach(changes({ attempts: 100, failures: 25 })));
    assert.isNull(breach(changes({ attempts: 19, failures: 19 })));
    assert.strictEqual(
      breach(changes({ attempts: 100, failures: 90, attemptsBefore: 100, failuresBefore: 2 })),
      "90.0 % of the pushes of what was changed fail, 2.0 % before",
    );
    assert.isNull(breach(changes({ attempts: 100, failures: 90, attemptsBefore: 100, failuresBefore: 90 })));
  });

  it("counts what a node that has left delivered before, which others deliver now", () => {
    const taken = { ...fine, deliveredPerSecond: 2_000, buffers: 2_000, backlogBytes: 20_000_000 };
    const of = (left: ReadonlyArray<NodeSignals>) =>
      reading([reportOf(taken)], { number: 9, added: 0, left })?.breached;
    assert.isNotNull(of([]));
    assert.isNull(of([{ ...fine, backlogBytesBefore: 2_000_000, failures: 1_000 }]));
    const none = { ...taken, deliveredPerSecond: 900 };
    assert.strictEqual(
      reading([reportOf(none)], { number: 9, added: 0, left: [fine] })?.breached,
      "900 records/s are delivered, 2000 before",
    );
  });

  it("says nothing of how much is delivered while a node that came later delivers some of it", () => {
    const less = reportOf({ ...fine, deliveredPerSecond: 100 });
    assert.isNull(reading([less, reportOf(null, "new")], { number: 9, added: 0 })?.breached);
    assert.isNotNull(reading([less], { number: 9, added: 0 })?.breached);
  });

  it("takes what an earlier version says for a reading of all jobs", () => {
    const { changed: _, ...earlier } = { ...fine, failures: 900 };
    assert.isNotNull(reading([reportOf(earlier)], { number: 9, added: 0 })?.breached);
  });
});
