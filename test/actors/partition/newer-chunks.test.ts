import { assert, describe, it } from "@effect/vitest";
import { NewerChunks } from "../../../src/actors/partition/newer-chunks.ts";
import { chunkOf, messagesOf } from "./partition-fixture.ts";

const pair = "ant.http_requests";
const life = (counted: number, start = 0) => ({ pairKey: pair, start, counted });
const none = { records: 0, bytes: 0 };
const tally = (records: number) => ({ records, bytes: records * 10 });

/** As many records as its sequence says. */
const noteInto = (chunks: NewerChunks, sequence: number, jobSet: number, holders?: ReadonlyArray<string>) => {
  const [message] = messagesOf([{ millis: 99 + sequence, chunks: [chunkOf("ant", sequence)] }]);
  assert.isTrue(chunks.note({ ...message!, sequence, jobSet }, message!.chunks[0]!, holders));
};

const noted = (sets: ReadonlyArray<number>, holders: (sequence: number) => ReadonlyArray<string> = () => []) => {
  const chunks = new NewerChunks();
  for (const [i, jobSet] of sets.entries()) if (jobSet > 0) noteInto(chunks, i + 1, jobSet, holders(i + 1));
  return chunks;
};

const range = (chunks: { first: number; last: number; records: number } | undefined) =>
  chunks === undefined ? undefined : [chunks.first, chunks.last, chunks.records];

const nobodys = (chunks: NewerChunks, set: number) => chunks.adopted(set).flatMap(([, parts]) => parts.map(range));

describe("chunks of sets that are not adopted yet", () => {
  it("are one to who asks, wait for the newest of their sets, and hold the scan", () => {
    const chunks = noted([0, 2, 1, 3], (sequence) => (sequence === 3 ? ["gone"] : []));
    assert.deepStrictEqual(chunks.after(pair, 0), { first: 2, last: 4, records: 9, bytes: 90, millis: 101 });
    assert.strictEqual(chunks.scanBound(), 1);
    assert.deepStrictEqual(chunks.adopted(2), []);
    assert.deepStrictEqual(nobodys(chunks, 3), [
      [2, 2, 2],
      [4, 4, 4],
    ]);
    assert.strictEqual(chunks.size, 0);
    assert.strictEqual(chunks.scanBound(), Number.MAX_SAFE_INTEGER);
  });

  it("are nobody's but for those in the books of a job that left, and the next of its name begins after these", () => {
    const chunks = noted([2, 2, 2, 2]);
    chunks.leave("one", life(3), tally(4));
    assert.deepStrictEqual(range(chunks.dueTo("one", pair, 3)), [4, 4, 4]);
    assert.deepStrictEqual(range(chunks.dueTo("other", pair, 0)), [1, 4, 10]);
    // It comes back, and leaves once more with all of them.
    chunks.leave("one", life(4), none);
    assert.isUndefined(chunks.dueTo("one", pair, 4));
    assert.deepStrictEqual(nobodys(chunks, 2), []);
  });

  it("are cut where the books of a job end that left in the midst of them", () => {
    const chunks = noted([2, 2, 2, 2]);
    chunks.leave("one", life(1), tally(9));
    chunks.leave("two", life(2), tally(7));
    assert.deepStrictEqual(range(chunks.dueTo("one", pair, 1)), [2, 4, 9]);
    assert.deepStrictEqual(range(chunks.dueTo("two", pair, 2)), [3, 4, 7]);
    assert.deepStrictEqual(nobodys(chunks, 2), [[3, 4, 7]]);
  });

  it("are in the books of no job that left with fewer of them than it was thought to hold", () => {
    const chunks = noted([2, 2, 2, 2], (sequence) => (sequence <= 3 ? ["one"] : []));
    chunks.leave("one", life(1), tally(9));
    assert.deepStrictEqual(range(chunks.dueTo("one", pair, 1)), [2, 4, 9]);
    assert.deepStrictEqual(nobodys(chunks, 2), [
      [2, 3, 5],
      [4, 4, 4],
    ]);
  });

  it("are untouched by a job whose books end before them", () => {
    const chunks = noted([0, 0, 2]);
    chunks.leave("one", life(1), none);
    assert.deepStrictEqual(range(chunks.dueTo("one", pair, 1)), [3, 3, 3]);
    assert.deepStrictEqual(nobodys(chunks, 2), [[3, 3, 3]]);
  });

  it("are parted where a job begins, and before that they are not in its books", () => {
    const chunks = noted([2, 2]);
    chunks.cut(pair);
    noteInto(chunks, 3, 2);
    assert.deepStrictEqual(range(chunks.after(pair, 2)), [3, 3, 3]);
    chunks.leave("one", life(3, 2), none);
    assert.isUndefined(chunks.dueTo("one", pair, 3));
    assert.deepStrictEqual(nobodys(chunks, 2), [[1, 2, 3]]);
  });
});
