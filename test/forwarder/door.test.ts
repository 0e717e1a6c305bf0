import { assert, describe, it } from "vitest";
import { datasetsMax, Door, otherDatasets, strangersMax } from "../../src/forwarder/door.ts";

const counts = (accepted: number, unconfigured: number) => ({
  accepted,
  acceptedBytes: accepted * 10,
  unconfigured,
  unconfiguredBytes: unconfigured * 10,
  refusals: { count: 1, bytes: 3, byReason: { "too-big": 1 } },
});

const bookOf = (door: Door, name: string) => door.books().find(({ dataset }) => dataset === name);

describe("the door's book", () => {
  it("adds up per dataset", () => {
    const door = new Door();
    door.record("logs", true, counts(2, 1));
    door.record("logs", true, counts(3, 0));
    assert.deepStrictEqual(door.books(), [
      {
        dataset: "logs",
        accepted: 5,
        acceptedBytes: 50,
        unconfigured: 1,
        unconfiguredBytes: 10,
        refused: 2,
        refusedBytes: 6,
        refusedByReason: { "too-big": 2 },
      },
    ]);
  });

  it("is bounded, and strangers hide neither each other's records nor the datasets that are known", () => {
    const door = new Door();
    for (let n = 0; n < strangersMax + 50; n++) door.record(`stranger-${n}`, false, counts(0, 1));
    assert.strictEqual(bookOf(door, otherDatasets)?.unconfigured, 50);
    for (let n = 0; n < datasetsMax + 50; n++) door.record(`known-${n}`, true, counts(1, 0));
    assert.lengthOf(door.books(), datasetsMax + strangersMax + 1);
    assert.strictEqual(bookOf(door, "known-0")?.accepted, 1);
    assert.strictEqual(bookOf(door, otherDatasets)?.accepted, 50);
  });

  it("keeps what a stranger's name had when the name becomes known", () => {
    const door = new Door();
    door.record("new", false, counts(0, 4));
    door.record("new", false, counts(2, 0));
    door.record("new", false, counts(0, 1));
    const { accepted, unconfigured } = bookOf(door, "new")!;
    assert.deepStrictEqual([accepted, unconfigured, door.books().length], [2, 5, 1]);
  });
});
