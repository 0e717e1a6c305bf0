import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import type { Buffer } from "../../../src/actors/buffer/buffer.ts";
import type { PartitionState } from "../../../src/actors/partition/partition-state.ts";
import { sweepLoop } from "../../../src/actors/partition/sweep.ts";
import type { LogMessage } from "../../../src/actors/ports/log.ts";
import {
  addBuffer,
  chunkOf,
  logOf,
  messagesOf,
  partitionOf,
  pendingBooks,
  rowOf,
  scriptedClaim,
} from "./partition-fixture.ts";

const batch = { maxBytes: 200, maxRecords: 1_000, maxIntervalSeconds: 1 };
const options = {
  readBytesMax: 1_000_000,
  sweepSliceBytesMax: 1_000_000,
  sweepSliceMillisMax: 1_000,
  sweepNearBytesMax: 1_000_000,
};

const lagging = (state: PartitionState, job: string, customer: string, records: number, closedBatchesMax = 8) =>
  addBuffer(state, rowOf(job, customer, { counted: state.position, books: pendingBooks(records) }), batch, {
    bytesMax: 1_000_000,
    closedBatchesMax,
  });

/** Runs the sweep for a virtual while. */
const sweep = Effect.fnUntraced(function* (state: PartitionState, log: ReadonlyArray<LogMessage>) {
  yield* Effect.forkChild(sweepLoop(state, options).pipe(Effect.provide(logOf(log))));
  yield* TestClock.adjust("10 seconds");
});

/** Settles batch after batch; each makes room for the sweep. */
const settleAll = Effect.fnUntraced(function* (buffer: Buffer) {
  const ranges: Array<string> = [];
  for (let head = buffer.window.head(); head !== undefined; head = buffer.window.head()) {
    ranges.push(`${head.ref.first}-${head.ref.last} ${head.ref.closedBy}`);
    buffer.settle(head.ref, null, 0);
    yield* TestClock.adjust("10 seconds");
  }
  return ranges;
});

describe("sweep", () => {
  it.effect("ends no batch of a buffer that had to leave the pass: what it missed would miss in the batch", () =>
    Effect.gen(function* () {
      const log = messagesOf([
        { millis: 0, chunks: [chunkOf("a", 15)] },
        { millis: 100, chunks: [chunkOf("a", 10), chunkOf("b", 1)] },
        // No room for a: one closed batch and an open one are all it may hold.
        { millis: 200, chunks: [chunkOf("a", 5)] },
        { millis: 5_000, chunks: [chunkOf("b", 1)] },
      ]);
      const state = partitionOf(scriptedClaim().claim, 4);
      const a = lagging(state, "job-a", "a", 30, 1);
      const b = lagging(state, "job-b", "b", 2);
      yield* sweep(state, log);
      assert.isTrue(b.live);
      assert.deepStrictEqual(yield* settleAll(a), ["1-1 size", "2-3 time"]);
      assert.strictEqual(a.ledger.pendingRecords, 0);
    }),
  );

  it.effect("serves buffers that begin at different places in one pass, each from its own cursor", () =>
    Effect.gen(function* () {
      const log = messagesOf(
        Array.from({ length: 10 }, (_, i) => ({ millis: i * 400, chunks: [chunkOf("a", 1), chunkOf("b", 1)] })),
      );
      const state = partitionOf(scriptedClaim().claim, 10);
      const a = lagging(state, "job-a", "a", 10);
      const row = rowOf("job-b", "b", { cursor: 6, counted: 10, books: pendingBooks(4) });
      const b = addBuffer(state, row, batch);
      yield* sweep(state, log);
      assert.deepStrictEqual(yield* settleAll(a), ["1-3 time", "4-6 time", "7-9 time"]);
      // The times of messages before its cursor are nothing to it.
      assert.deepStrictEqual(yield* settleAll(b), ["7-9 time"]);
      assert.isTrue(a.live && b.live);
      assert.strictEqual(b.window.tally().records, 1);
    }),
  );

  it.effect("writes off, with a receipt, exactly what is gone from the log", () =>
    Effect.gen(function* () {
      const log = messagesOf(Array.from({ length: 6 }, (_, i) => ({ millis: i, chunks: [chunkOf("a", 2)] })));
      const state = partitionOf(scriptedClaim().claim, 6);
      const a = lagging(state, "job-a", "a", 12);
      yield* sweep(state, log.slice(2));
      assert.strictEqual(a.ledger.books().expired.records, 4);
      assert.strictEqual(a.ledger.pendingRecords, 8);
      assert.deepInclude(state.receipts[0], { job: "job-a", records: 4, bytes: 40, reason: "expired" });
      assert.deepInclude(state.receipts[0], { firstSequence: 1, lastSequence: 2 });
    }),
  );

  it.effect("lets no cursor pass what is gone before that is in the books: a restart would never find it", () =>
    Effect.gen(function* () {
      const all = messagesOf(Array.from({ length: 6 }, (_, i) => ({ millis: i, chunks: [chunkOf("a", 20)] })));
      const state = partitionOf(scriptedClaim().claim, 6);
      const a = lagging(state, "job-a", "a", 120);
      // An attempt of what was read before the gap is in flight: nothing may be moved under it.
      a.isAttemptBegun = true;
      yield* sweep(state, [all[0]!, ...all.slice(3)]);
      assert.strictEqual(a.window.tally().records, 20, "no further than the gap");
      assert.deepStrictEqual([a.fedTo, a.missedTo, a.ledger.books().expired.records], [1, 3, 0]);
      const head = a.window.head()!;
      a.settle(head.ref, null, 0);
      a.isAttemptBegun = false;
      yield* TestClock.adjust("10 seconds");
      assert.deepStrictEqual([a.cursor, a.missedTo, a.ledger.books().expired.records], [3, undefined, 40]);
      assert.deepInclude(state.receipts[0], { firstSequence: 2, lastSequence: 3, records: 40, bytes: 400 });
      assert.deepStrictEqual(yield* settleAll(a), ["4-4 size", "5-5 size", "6-6 size"]);
      assert.strictEqual(a.ledger.pendingRecords, 0);
    }),
  );

  it.effect("writes off what is gone when all that is left lies beyond the reader", () =>
    Effect.gen(function* () {
      const log = messagesOf(Array.from({ length: 8 }, (_, i) => ({ millis: i, chunks: [chunkOf("a", 2)] })));
      const state = partitionOf(scriptedClaim().claim, 6);
      const a = lagging(state, "job-a", "a", 12);
      yield* sweep(state, log.slice(7));
      assert.strictEqual(a.ledger.books().expired.records, 12);
      assert.strictEqual(a.ledger.pendingRecords, 0);
    }),
  );

  it.effect("writes off what is gone although the buffer left the pass that saw the jump", () =>
    Effect.gen(function* () {
      const log = messagesOf(Array.from({ length: 6 }, (_, i) => ({ millis: i, chunks: [chunkOf("a", 15)] })));
      const state = partitionOf(scriptedClaim().claim, 6);
      const a = lagging(state, "job-a", "a", 90, 1);
      yield* sweep(state, log.slice(2));
      yield* settleAll(a);
      assert.strictEqual(a.ledger.books().expired.records, 30);
      assert.strictEqual(a.ledger.pendingRecords, a.window.tally().records);
    }),
  );

  it.effect("skips what repeats an earlier message", () =>
    Effect.gen(function* () {
      const log = messagesOf([0, 1, 2].map((millis) => ({ millis, chunks: [chunkOf("a", 1)] })));
      const state = partitionOf(scriptedClaim().claim, 3);
      const writer = { incarnation: "w", number: 1, absent: 0, recordsBefore: 0 };
      state.continuity.see(1, writer, 1);
      state.continuity.see(2, writer, 1);
      const a = lagging(state, "job-a", "a", 2);
      yield* sweep(state, log);
      assert.deepStrictEqual(a.window.tally(), { records: 2, bytes: 20 });
    }),
  );

  it.effect("loses nothing of many buffers that arrive while the reader goes on", () =>
    Effect.gen(function* () {
      const count = 3_000;
      const chunks = Array.from({ length: count }, (_, i) => chunkOf(`c${i}`, 1));
      const log = messagesOf([0, 1, 2].map((millis) => ({ millis, chunks })));
      const state = partitionOf(scriptedClaim().claim, 2);
      const buffers = chunks.map((_, i) => lagging(state, `job-${i}`, `c${i}`, 2));
      // A reader that comes to the third message as soon as anybody gives way.
      yield* Effect.forkChild(
        Effect.gen(function* () {
          while (!buffers.some(({ live }) => live)) yield* Effect.yieldNow;
          for (const buffer of buffers) {
            const chunk = chunks[Number(buffer.jobId.slice(4))]!;
            buffer.count(3, 2, chunk);
            if (buffer.live && !buffer.feed(3, 2, chunk)) buffer.lag(2);
          }
          state.position = 3;
        }),
      );
      yield* sweep(state, log);
      const held = buffers.map(({ window }) => window.tally().records);
      assert.deepStrictEqual([...new Set(held)], [3]);
    }),
  );
});
