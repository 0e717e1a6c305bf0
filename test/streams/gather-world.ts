import { assert } from "@effect/vitest";
import * as fc from "fast-check";
import type { RecordSpans } from "../../src/actors/ports/outbox.ts";
import { makePair, type Pair } from "../../src/domain/partition.ts";
import type { Gather, GatherLimits, Latch, Plan, Planned } from "../../src/streams/gather.ts";
import { type Piece, piecesOf, spansOf } from "../support/world.ts";

export const pairs = ["a", "b", "c", "d", "e"].map((customer) => makePair(customer, "x", 1));

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

/** One request: spans of some pairs. A span is one or more records; a record may be larger than a chunk should be. */
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

/** A chunk of a message, by itself. */
export interface Chunk {
  readonly pair: Pair;
  readonly records: number;
  readonly bytes: number;
  readonly data: Buffer;
}

export const chunksOf = ({ raw, ...columns }: Planned): ReadonlyArray<Chunk> => {
  const { length } = columns.pairs;
  assert.deepStrictEqual([columns.records.length, columns.bytes.length], [length, length]);
  assert.strictEqual(raw.length, sum(columns.bytes));
  let at = 0;
  return columns.pairs.map((pair, i) => {
    const bytes = columns.bytes[i]!;
    at += bytes;
    return { pair, records: columns.records[i]!, bytes, data: raw.subarray(at - bytes, at) };
  });
};
export const sum = (counts: ReadonlyArray<number>) => counts.reduce((total, each) => total + each, 0);

/** Adds requests as the outbox does; `done` counts how often each request was told that it landed. */
export const gatherAll = (gather: Gather, all: ReadonlyArray<RecordSpans>) => {
  const done = all.map(() => 0);
  const latches = all.map((spans, i): Latch => {
    const latch = { remaining: 1, done: () => void (done[i]! += 1) };
    for (let span = 0; span < spans.pairs.length; span++) gather.add(spans, span, latch);
    countDown(latch);
    return latch;
  });
  return { done, latches };
};

export const countDown = (latch: Latch) => {
  latch.remaining -= 1;
  if (latch.remaining === 0) latch.done();
};

/** Takes writes until nothing is left; the bound makes a `take` that gives nothing a failure, not a hang. */
export const takeAll = (gather: Gather): ReadonlyArray<Plan> => {
  const writes: Array<Plan> = [];
  while (!gather.isEmpty()) {
    assert.isBelow(writes.length, 1_000, "take() makes no progress");
    writes.push(gather.take());
  }
  return writes;
};
export const messagesOf = (writes: ReadonlyArray<Plan>) => writes.flatMap(({ messages }) => messages);

/** Numbered pieces, so that order and completeness show in the bytes themselves. */
export const pieceOf = (
  { bytes, pair, records }: { pair: Pair; records: number; bytes: number },
  i: number,
): Piece => ({
  pair,
  records,
  data: Buffer.from(`${String(i).padStart(Math.max(bytes, 5) - 1, "0")}\n`),
});

/** Requests that can be gathered: each a body with spans, with other bytes between them that are nobody's. */
export const gatherable = (all: ReadonlyArray<ReadonlyArray<Piece>>): ReadonlyArray<RecordSpans> =>
  all.map(scatteredSpansOf);

export const scatteredSpansOf = (pieces: ReadonlyArray<Piece>): RecordSpans => {
  const { body, starts, stops, ...spans } = spansOf(pieces);
  const hole = Buffer.from("refused\n");
  const shift = (at: number, i: number) => at + (i + 1) * hole.length;
  return {
    ...spans,
    body: Buffer.concat(stops.flatMap((stop, i) => [hole, body.subarray(starts[i], stop)])),
    starts: starts.map(shift),
    stops: stops.map(shift),
  };
};

export const cases = fc.tuple(limitSets, requests).map(([limits, all]) => {
  let i = 0;
  return { limits, all: gatherable(all.map((pieces) => pieces.map((piece) => pieceOf(piece, i++)))) };
});

/** Everything given out is everything added, in order per pair. */
export const assertComplete = (all: ReadonlyArray<RecordSpans>, writes: ReadonlyArray<Plan>, of = pairs) => {
  const given = messagesOf(writes).flatMap(chunksOf);
  const added = all.flatMap((spans) => piecesOf(spans));
  for (const pair of of) {
    const expected = added.filter((piece) => piece.pair === pair);
    const own = given.filter((chunk) => chunk.pair === pair);
    assert.strictEqual(
      Buffer.concat(own.map(({ data }) => data)).toString(),
      Buffer.concat(expected.map(({ data }) => data)).toString(),
    );
    assert.strictEqual(sum(own.map(({ records }) => records)), sum(expected.map(({ records }) => records)));
  }
  assert.strictEqual(sum(given.map(({ bytes }) => bytes)), sum(all.map(({ bytes }) => bytes)));
};

/** Bytes of pieces are numbers that end in a newline, so that newlines count the spans of a chunk. */
const spanCount = ({ data }: Chunk) => data.toString().split("\n").length - 1;

export const assertWithinLimits = ({ messages }: Plan, limits: GatherLimits) => {
  assert.isAtMost(messages.length, limits.outboxWriteMessagesMax);
  assert.isAtLeast(messages.length, 1);
  const chunks = messages.flatMap(chunksOf);
  const total = sum(chunks.map(({ bytes }) => bytes));
  assert.isTrue(
    total <= limits.outboxWriteBytesMax || (chunks.length === 1 && spanCount(chunks[0]!) === 1),
    `${total} bytes in ${chunks.length} chunks`,
  );
  for (const chunk of chunks) {
    const isWithin = chunk.records <= limits.chunkRecordsMax && chunk.bytes <= limits.chunkRawBytesMax;
    assert.isTrue(isWithin || spanCount(chunk) === 1);
  }
  for (const message of messages) {
    if (message.kind === "plain") {
      assert.strictEqual(message.pairs.length, 1);
      continue;
    }
    assert.isTrue(message.raw.length <= limits.muxRawBytesMax || message.pairs.length === 1);
    assert.strictEqual(new Set(message.pairs.map(({ key }) => key)).size, message.pairs.length);
    for (const bytes of message.bytes) assert.isBelow(bytes, limits.plainChunkRawBytesMin);
  }
};
