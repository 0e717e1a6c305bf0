import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import type { OutboxPiece } from "../../src/actors/ports/outbox.ts";
import { makePair } from "../../src/domain/partition.ts";
import { Gather, type Gathered, type GatherLimits, type Latch, type Planned } from "../../src/streams/gather.ts";

const pairs = ["a", "b", "c", "d", "e"].map((customer) => makePair(customer, "x", 1));

/** Small enough that a few pieces reach every limit; any combination that `contradictions` would allow. */
const limitSets: fc.Arbitrary<GatherLimits> = fc
  .record({
    chunkRecordsMax: fc.integer({ min: 1, max: 20 }),
    chunkRawBytesMax: fc.integer({ min: 10, max: 200 }),
    plainShare: fc.double({ min: 0, max: 1, noNaN: true }),
    muxRawBytesMax: fc.integer({ min: 10, max: 400 }),
    outboxWriteBytesMax: fc.integer({ min: 10, max: 1_000 }),
    outboxWriteMessagesMax: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ plainShare, ...rest }) => ({
    ...rest,
    plainChunkRawBytesMin: Math.floor(plainShare * rest.chunkRawBytesMax),
  }));

/** One request: pieces of some pairs. A piece is one or more records; a record may be larger than a chunk should be. */
const requests = fc.array(
  fc.array(
    fc.record({
      pair: fc.constantFrom(...pairs),
      records: fc.integer({ min: 1, max: 8 }),
      bytes: fc.integer({ min: 2, max: 60 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  { maxLength: 12 },
);

const chunksOf = (message: Planned): ReadonlyArray<Gathered> =>
  message.kind === "plain" ? [message.chunk] : message.chunks;
const bytesOf = (message: Planned) => chunksOf(message).reduce((sum, { bytes }) => sum + bytes, 0);

/** Adds requests as the outbox does; `done` counts how often each request was told that it landed. */
const gatherAll = (gather: Gather, all: ReadonlyArray<ReadonlyArray<OutboxPiece>>) => {
  const done = all.map(() => 0);
  const latches = all.map((pieces, i): Latch => {
    const latch = { remaining: 1, done: () => void (done[i]! += 1) };
    for (const piece of pieces) gather.add(piece, latch);
    countDown(latch);
    return latch;
  });
  return { done, latches };
};

const countDown = (latch: Latch) => {
  latch.remaining -= 1;
  if (latch.remaining === 0) latch.done();
};

/** Takes writes until nothing is left; the bound makes a `take` that gives nothing a failure, not a hang. */
const takeAll = (gather: Gather): ReadonlyArray<ReadonlyArray<Planned>> => {
  const writes: Array<ReadonlyArray<Planned>> = [];
  while (!gather.isEmpty()) {
    assert.isBelow(writes.length, 1_000, "take() makes no progress");
    writes.push(gather.take());
  }
  return writes;
};

/** Numbered pieces, so that order and completeness show in the bytes themselves. */
const pieceOf = (
  { bytes, pair, records }: { pair: (typeof pairs)[number]; records: number; bytes: number },
  i: number,
) => ({
  pair,
  records,
  data: Buffer.from(`${String(i).padStart(Math.max(bytes, 5) - 1, "0")}\n`),
});

const cases = fc.tuple(limitSets, requests).map(([limits, all]) => {
  let i = 0;
  return { limits, all: all.map((pieces) => pieces.map((piece) => pieceOf(piece, i++))) };
});

describe("Gather", () => {
  it("gives every piece out once, in order per pair, across all writes", () => {
    fc.assert(
      fc.property(cases, ({ all, limits }) => {
        const gather = new Gather(limits);
        gatherAll(gather, all);
        const given = takeAll(gather).flat().flatMap(chunksOf);
        for (const pair of pairs) {
          const expected = all.flat().filter((piece) => piece.pair === pair);
          const own = given.filter((chunk) => chunk.pair === pair);
          assert.deepStrictEqual(
            own.flatMap(({ data }) => data),
            expected.map(({ data }) => data),
          );
          assert.strictEqual(
            own.reduce((sum, { records }) => sum + records, 0),
            expected.reduce((sum, { records }) => sum + records, 0),
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps chunks, mux messages and writes within their limits; one that is too large alone travels alone", () => {
    fc.assert(
      fc.property(cases, ({ all, limits }) => {
        const gather = new Gather(limits);
        gatherAll(gather, all);
        for (const write of takeAll(gather)) {
          assert.isAtMost(write.length, limits.outboxWriteMessagesMax);
          assert.isAtLeast(write.length, 1);
          const chunks = write.flatMap(chunksOf);
          const total = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
          assert.isTrue(
            total <= limits.outboxWriteBytesMax || chunks.length === 1,
            `${total} bytes in ${chunks.length} chunks`,
          );
          for (const { bytes, data, records } of chunks) {
            assert.strictEqual(
              bytes,
              data.reduce((sum, each) => sum + each.length, 0),
            );
            assert.isTrue((records <= limits.chunkRecordsMax && bytes <= limits.chunkRawBytesMax) || data.length === 1);
          }
          for (const message of write) {
            if (message.kind === "plain") continue;
            assert.isTrue(bytesOf(message) <= limits.muxRawBytesMax || message.chunks.length === 1);
            assert.strictEqual(new Set(message.chunks.map(({ pair }) => pair.key)).size, message.chunks.length);
            for (const { bytes } of message.chunks) assert.isBelow(bytes, limits.plainChunkRawBytesMin);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("tells each request exactly once that it landed, and not before its last chunk did", () => {
    fc.assert(
      fc.property(cases, ({ all, limits }) => {
        const gather = new Gather(limits);
        const { done, latches } = gatherAll(gather, all);
        assert.isTrue(done.every((times) => times === 0));
        const open = latches.map((latch) => latch.remaining);
        for (const chunk of takeAll(gather).flat().flatMap(chunksOf)) {
          assert.strictEqual(new Set(chunk.latches).size, chunk.latches.length);
          for (const latch of chunk.latches) {
            const i = latches.indexOf(latch);
            assert.strictEqual(done[i], 0);
            countDown(latch);
            open[i]! -= 1;
            assert.strictEqual(done[i], open[i] === 0 ? 1 : 0);
          }
        }
        assert.isTrue(done.every((times) => times === 1));
      }),
      { numRuns: 500 },
    );
  });

  it("sends many small requests as few messages: that is what waiting for the write in flight is for", () => {
    const gather = new Gather({
      chunkRecordsMax: 1_000,
      chunkRawBytesMax: 524_288,
      plainChunkRawBytesMin: 65_536,
      muxRawBytesMax: 4_194_304,
      outboxWriteBytesMax: 16_777_216,
      outboxWriteMessagesMax: 256,
    });
    const all = Array.from({ length: 5_000 }, (_, i) => [pieceOf({ pair: pairs[i % 5]!, records: 1, bytes: 20 }, i)]);
    gatherAll(gather, all);
    const writes = takeAll(gather);
    assert.deepStrictEqual(
      writes.map((write) => write.map(({ kind }) => kind)),
      [["mux"]],
    );
    assert.strictEqual(chunksOf(writes[0]![0]!).length, 5);
  });
});
