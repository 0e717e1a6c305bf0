import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import { bookUnread } from "../../../src/actors/partition/reader-gap.ts";
import { writeOff, type WriteOffTarget } from "../../../src/actors/partition/write-off.ts";
import { unexplained } from "../../../src/domain/books.ts";
import { jobSetOf, storedJob } from "../../support/world.ts";
import { KeptLog } from "./kept-log.ts";
import { addBuffer, chunkOf, partitionOf, pendingBooks, rowOf, scriptedClaim } from "./partition-fixture.ts";

const batch = { maxBytes: 200, maxRecords: 1_000, maxIntervalSeconds: 1 };
const options = { readBytesMax: 1_000_000 };

/** Ten messages of two customers, two records each. */
const world = () => {
  const log = new KeptLog(
    Array.from({ length: 10 }, (_, i) => ({ millis: i * 1_000, chunks: [chunkOf("a", 2), chunkOf("b", 2)] })),
  );
  log.messagesMax = 3;
  const state = partitionOf(scriptedClaim().claim, 10);
  const a = addBuffer(state, rowOf("job-a", "a", { counted: 10, books: pendingBooks(20) }), batch);
  const b = addBuffer(state, rowOf("job-b", "b", { cursor: 4, counted: 10, books: pendingBooks(12) }), batch);
  return { a, b, log, state };
};

const expired = (buffer: WriteOffTarget["buffer"], to: number): WriteOffTarget => ({
  buffer,
  to,
  account: "expired",
  reason: "expired",
});

describe("writing off", () => {
  it.effect("settles exactly what the log holds up to a sequence, for all targets in one read", () =>
    Effect.gen(function* () {
      const { a, b, log, state } = world();
      const receipts = yield* writeOff(state, [expired(a, 6), expired(b, 6)], options).pipe(Effect.provide(log.layer));
      assert.deepStrictEqual(
        receipts.map(({ bytes, firstSequence, job, lastSequence, records }) => [
          job,
          firstSequence,
          lastSequence,
          records,
          bytes,
        ]),
        [
          ["job-a", 1, 6, 12, 120],
          ["job-b", 5, 6, 4, 40],
        ],
      );
      assert.deepStrictEqual(log.reads, [1, 4]);
      assert.strictEqual(a.ledger.pendingRecords, 8);
      assert.strictEqual(b.ledger.pendingRecords, 8);
      assert.deepStrictEqual([a.cursor, b.cursor], [6, 6]);
      // No older than the last that went.
      assert.strictEqual(a.pendingSinceMillis, 5_000);
      assert.deepStrictEqual(state.receipts, [...receipts]);
    }),
  );

  it.effect("counts only what is left when the cursor moves while the log is read", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      // Delivered meanwhile: the first three messages.
      log.onRead = () =>
        Effect.sync(() => {
          if (log.reads.length !== 2) return;
          a.ledger.deliver(6, 60);
          a.ledger.leavePending(6, 60);
          a.cursor = 3;
        });
      const [receipt] = yield* writeOff(state, [expired(a, 6)], options).pipe(Effect.provide(log.layer));
      assert.deepInclude(receipt, { firstSequence: 4, lastSequence: 6, records: 6 });
      assert.strictEqual(a.ledger.pendingRecords, 8);
      assert.deepStrictEqual(unexplained(a.ledger.books()), { records: 0, bytes: 0 });
    }),
  );

  it.effect("leaves a buffer alone that is in the middle of an attempt", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      // The attempt begins while the log is read.
      log.onRead = () => Effect.sync(() => void (a.isAttemptBegun = true));
      const receipts = yield* writeOff(state, [expired(a, 6)], options).pipe(Effect.provide(log.layer));
      assert.deepStrictEqual(receipts, []);
      assert.strictEqual(a.ledger.pendingRecords, 20);
      assert.strictEqual(a.cursor, 0);
      a.isAttemptBegun = false;
      log.onRead = () => Effect.void;
      yield* writeOff(state, [expired(a, 6)], options).pipe(Effect.provide(log.layer));
      assert.strictEqual(a.cursor, 6);
    }),
  );

  it.effect("books what is gone from the log with the rest, and what comes meanwhile stays pending", () =>
    Effect.gen(function* () {
      const { a, b, log, state } = world();
      log.loseTo(5);
      log.onRead = () =>
        Effect.sync(() => {
          if (log.reads.length !== 2) return;
          state.position = 11;
          a.count(11, 11_000, chunkOf("a", 3));
        });
      const receipts = yield* writeOff(state, [expired(a, 6), expired(b, 6)], options).pipe(Effect.provide(log.layer));
      assert.deepStrictEqual(
        receipts.map(({ job, records }) => [job, records]),
        [
          ["job-a", 12],
          ["job-b", 4],
        ],
      );
      assert.strictEqual(a.ledger.pendingRecords, 8 + 3);
      assert.strictEqual(b.ledger.pendingRecords, 8);
    }),
  );

  it.effect("is not confused by what the reader misses meanwhile: that was never pending", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      state.jobs = jobSetOf([storedJob("job-a", "a")], 1);
      state.buffers.delete("job-b");
      log.loseTo(10);
      log.onRead = () =>
        Effect.sync(() => {
          assert.isTrue(bookUnread(state, 10, 13, 33, 12_000));
          state.position = 13;
          a.count(13, 13_000, chunkOf("a", 3));
        });
      const [receipt] = yield* writeOff(state, [expired(a, 10)], options).pipe(Effect.provide(log.layer));
      assert.deepInclude(receipt, { firstSequence: 1, lastSequence: 10, records: 20, bytes: 200 });
      const books = a.ledger.books();
      assert.deepStrictEqual(books.pending, { records: 3, bytes: 30 });
      assert.deepStrictEqual(books.expired, { records: 20 + 33, bytes: 200 });
      assert.deepStrictEqual(unexplained(books), { records: 0, bytes: 0 });
      const told = state.receipts.map(({ bytes, firstSequence, records }) => [firstSequence, records, bytes]);
      assert.sameDeepMembers(told, [
        [1, 20, 200],
        [11, 33, 0],
      ]);
    }),
  );

  it.effect("believes the leader, not a replica that does not have the oldest any more", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      log.replicaFrom = 5;
      log.onRead = () => Effect.sync(() => void (log.reads.length === 3 && (log.replicaFrom = 0)));
      const fiber = yield* Effect.forkChild(writeOff(state, [expired(a, 2)], options).pipe(Effect.provide(log.layer)));
      yield* TestClock.adjust("2 seconds");
      yield* Effect.yieldNow;
      assert.isDefined(fiber.pollUnsafe());
      assert.strictEqual(a.ledger.books().expired.records, 4);
      assert.strictEqual(a.ledger.pendingRecords, 16);
    }),
  );

  it.effect("ends where the bytes are reached", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      const [receipt] = yield* writeOff(
        state,
        [{ buffer: a, to: 10, bytes: 41, account: "shed", reason: "shed" }],
        options,
      ).pipe(Effect.provide(log.layer));
      assert.deepInclude(receipt, { firstSequence: 1, lastSequence: 3, records: 6, reason: "shed" });
      assert.strictEqual(a.ledger.books().shed.records, 6);
    }),
  );

  it.effect("balances the books whatever is lost, repeated, delivered or written off, in whatever order", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ to: fc.integer({ min: 1, max: 12 }), lose: fc.integer({ min: 0, max: 10 }) }), {
            maxLength: 6,
          }),
          fc.array(fc.integer({ min: 2, max: 10 }), { maxLength: 3 }),
          (steps, repeated) =>
            Effect.gen(function* () {
              const log = new KeptLog(
                Array.from({ length: 10 }, (_, i) => ({ millis: i, chunks: [chunkOf("a", i + 1)] })),
              );
              const state = partitionOf(
                scriptedClaim({ ...scriptedClaim().claim.register, duplicates: repeated }).claim,
                10,
              );
              const own = log.messages.filter(({ sequence }) => !repeated.includes(sequence));
              const after = (sequence: number) =>
                own.reduce((sum, message) => (message.sequence > sequence ? sum + message.records : sum), 0);
              const a = addBuffer(state, rowOf("a", "a", { counted: 10, books: pendingBooks(after(0)) }), batch);
              for (const { lose, to } of steps) {
                log.loseTo(lose);
                yield* writeOff(state, [expired(a, to)], options).pipe(Effect.provide(log.layer));
                assert.deepStrictEqual(unexplained(a.ledger.books()), { records: 0, bytes: 0 });
                // Never less than what is still to be delivered, and no more than was there after the cursor.
                const first = log.messages[0]?.sequence ?? 11;
                assert.isAtMost(a.ledger.pendingRecords, after(a.cursor));
                assert.isAtLeast(a.ledger.pendingRecords, after(Math.max(a.cursor, first - 1)));
              }
              const told = state.receipts.reduce((sum, { records }) => sum + records, 0);
              assert.strictEqual(told, a.ledger.books().expired.records);
            }).pipe(Effect.runPromise),
        ),
        { numRuns: 200 },
      ),
    ),
  );
});
