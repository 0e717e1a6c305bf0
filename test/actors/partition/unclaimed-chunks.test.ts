import { assert, describe, it } from "@effect/vitest";
import { UnclaimedChunks } from "../../../src/actors/partition/unclaimed-chunks.ts";

const chunk = (first: number, last = first) => ({ first, last, millis: 0, records: 2, bytes: 10 });

describe("chunks without a push job", () => {
  it("have one receipt for each pair, every ten seconds", () => {
    const chunks = new UnclaimedChunks(0);
    assert.isFalse(chunks.isDue(1_000));
    chunks.note("a.http", chunk(4));
    chunks.note("b.http", chunk(5));
    chunks.note("a.http", chunk(9));
    assert.isFalse(chunks.isDue(1_000));
    assert.isFalse(chunks.isDue(10_999));
    assert.isTrue(chunks.isDue(11_000));
    assert.strictEqual(chunks.scanBound(), 3);
    const common = { dataset: "http", job: "_unclaimed", reason: "unclaimed", millis: 7 };
    assert.deepStrictEqual(chunks.take(9, 7), [
      { ...common, customer: "a", firstSequence: 4, lastSequence: 9, records: 4, bytes: 20 },
      { ...common, customer: "b", firstSequence: 5, lastSequence: 5, records: 2, bytes: 10 },
    ] as never);
    assert.isFalse(chunks.isDue(100_000));
    assert.strictEqual(chunks.scanBound(), Number.MAX_SAFE_INTEGER - 1);
  });

  it("have none again when the log is read again from before them", () => {
    const chunks = new UnclaimedChunks(20);
    chunks.note("a.http", chunk(20));
    assert.deepStrictEqual(chunks.take(21, 0), []);
    chunks.note("a.http", chunk(22));
    assert.strictEqual(chunks.take(22, 0).length, 1);
    assert.strictEqual(chunks.receiptedTo(), 22);
  });

  it("have one when they were set aside while others had theirs", () => {
    const chunks = new UnclaimedChunks(0);
    chunks.note("a.http", chunk(30));
    chunks.take(30, 0);
    chunks.note("b.http", chunk(20));
    assert.strictEqual(chunks.take(31, 0).length, 1);
  });
});
