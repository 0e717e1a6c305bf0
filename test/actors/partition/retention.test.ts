import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Fiber, Layer } from "effect";
import { TestClock } from "effect/testing";
import { retain, retentionLoop, type RetentionOptions } from "../../../src/actors/partition/retention.ts";
import { Log } from "../../../src/actors/ports/log.ts";
import { purge } from "../../../src/actors/partition/purge.ts";
import { skipTo } from "../../../src/actors/partition/skip.ts";
import { unexplained } from "../../../src/domain/books.ts";
import { quiet } from "../../support/world.ts";
import { KeptLog } from "./kept-log.ts";
import { addBuffer, chunkOf, partitionOf, pendingBooks, rowOf, scriptedClaim } from "./partition-fixture.ts";

const batch = { maxBytes: 200, maxRecords: 1_000, maxIntervalSeconds: 1 };
const options: RetentionOptions = {
  readBytesMax: 1_000_000,
  logMaxAgeSeconds: 100,
  logBytesMax: 1_000_000,
  expiryPercent: 90,
  purgePercent: 80,
  replayWindowSecondsMax: 100,
  backlogBytesPerCustomerMax: 1_000_000,
  backlogAgeSecondsMax: 90,
  backlogEasedPercent: 80,
};

/** A hundred messages, one a second, one record each. */
const world = (settled = 0) => {
  const log = new KeptLog(Array.from({ length: 100 }, (_, i) => ({ millis: i * 1_000, chunks: [chunkOf("a", 1)] })));
  log.nowMillis = 99_000;
  const state = partitionOf(scriptedClaim().claim, 100);
  state.scan = 100;
  const row = rowOf("job-a", "a", { cursor: settled, counted: 100, books: pendingBooks(100 - settled) });
  const a = addBuffer(state, row, batch);
  const round = (over: Partial<RetentionOptions> = {}) =>
    retain(state, { ...options, ...over }).pipe(Effect.provide(log.layer), Effect.provide(quiet));
  return { a, log, round, state };
};

describe("expiry", () => {
  it.effect("gives up what is older than its share of the log's age, and not before there is something to it", () =>
    Effect.gen(function* () {
      const { a, log, round, state } = world();
      log.nowMillis = 91_999;
      yield* round();
      assert.strictEqual(a.ledger.pendingRecords, 100, "nothing is older than 92 s");
      log.nowMillis = 92_001;
      yield* round();
      // Everything that is older than 90 s: 0, 1 and 2 s.
      assert.deepInclude(state.receipts[0], { firstSequence: 1, lastSequence: 3, records: 3, reason: "expired" });
      assert.strictEqual(a.ledger.books().expired.records, 3);
      yield* round();
      assert.strictEqual(state.receipts.length, 1);
      assert.deepStrictEqual(unexplained(a.ledger.books()), { records: 0, bytes: 0 });
    }),
  );

  it.effect("tells where the doubt of a claim ends", () =>
    Effect.gen(function* () {
      const { round, state } = world();
      yield* round();
      assert.strictEqual(state.doubtTo, 100);
      state.doubtTo = 50;
      yield* round();
      assert.strictEqual(state.doubtTo, 50);
    }),
  );

  it.effect("takes no notice of a node's clock that jumps an hour", () =>
    Effect.gen(function* () {
      const { a, log, round } = world();
      log.nowMillis = 91_000;
      yield* TestClock.adjust("1 hour");
      yield* round();
      assert.strictEqual(a.ledger.books().expired.records, 0);
    }),
  );

  it.effect("gives up what is further back than its share of the log's bytes", () =>
    Effect.gen(function* () {
      const { a, round } = world();
      // A hundred messages of 100 bytes each.
      yield* round({ logMaxAgeSeconds: 1_000, logBytesMax: 10_500 });
      assert.strictEqual(a.ledger.books().expired.records, 6, "95 percent of the log are brought down to 90");
      yield* round({ logMaxAgeSeconds: 1_000, logBytesMax: 11_000 });
      assert.strictEqual(a.ledger.books().expired.records, 6);
    }),
  );

  it.effect("expires disabled and quarantined buffers like any other", () =>
    Effect.gen(function* () {
      const { a, log, round, state } = world();
      a.actor = { ...a.actor!, delivery: () => "quarantined" };
      const row = rowOf("job-b", "a", { counted: 100, books: pendingBooks(100) });
      const b = addBuffer(state, row, batch);
      b.effective = { ...b.effective, job: { ...b.effective.job, enabled: false } };
      log.nowMillis = 92_001;
      yield* round();
      assert.deepStrictEqual(
        [a, b].map(({ ledger }) => ledger.books().expired.records),
        [3, 3],
      );
    }),
  );

  it.effect("books what JetStream has discarded all the same", () =>
    Effect.gen(function* () {
      const { a, log, round, state } = world();
      log.nowMillis = 50_000;
      log.loseTo(40);
      yield* round();
      assert.deepInclude(state.receipts[0], { firstSequence: 1, lastSequence: 40, records: 40, bytes: 400 });
      assert.strictEqual(a.ledger.pendingRecords, 60);
    }),
  );
});

describe("the rounds of retention", () => {
  /** Bytes that came between two rounds of a log of a million bytes that grows so fast, at most; and rounds in all. */
  const between = Effect.fnUntraced(function* (bytesPerSecond: number) {
    const state = partitionOf(scriptedClaim().claim, 1);
    const seen: Array<number> = [];
    const describeNow = Effect.map(Clock.currentTimeMillis, (millis) => {
      const bytes = Math.min(900_000, (millis * bytesPerSecond) / 1_000);
      seen.push(bytes);
      return {
        incarnation: "i",
        firstSequence: 1,
        lastSequence: 1 + Math.floor(bytes / 100),
        bytes,
        nowMillis: millis,
      };
    });
    const log = Layer.succeed(Log, {
      read: () => Effect.succeed([]),
      tick: () => Effect.void,
      purge: () => Effect.void,
      describe: () => describeNow,
      waitForWrite: (_, millis) => Effect.sleep(millis),
    });
    yield* Effect.forkChild(retentionLoop(state, options).pipe(Effect.provide(log), Effect.provide(quiet)));
    yield* TestClock.adjust("12 seconds");
    const steps = seen.slice(2).map((bytes, i) => bytes - seen[i + 1]!);
    return { most: Math.max(...steps), rounds: seen.length };
  });

  it.effect(
    "are so close that a log which fills cannot fill up between two of them, and far apart when it does not",
    () =>
      Effect.gen(function* () {
        // From the second on: how fast it fills is known by then.
        assert.isAtMost((yield* between(50_000)).most, 21_000);
        assert.isAtMost((yield* between(80_000)).most, 21_000);
        assert.isAtMost((yield* between(0)).rounds, 14);
      }),
  );
});

describe("shedding", () => {
  const overloaded = ({ a }: ReturnType<typeof world>) => {
    a.actor = { ...a.actor!, flow: () => "overloaded.shedOldest" };
  };

  it.effect("brings a backlog down to where its quota is eased", () =>
    Effect.gen(function* () {
      const w = world();
      w.log.nowMillis = 50_000;
      yield* w.round({ backlogBytesPerCustomerMax: 500 });
      assert.strictEqual(w.a.ledger.books().shed.records, 0, "not before it is said to be overloaded");
      overloaded(w);
      yield* w.round({ backlogBytesPerCustomerMax: 500 });
      assert.strictEqual(w.a.ledger.pendingBytes, 400);
      assert.deepInclude(w.state.receipts[0], { records: 60, reason: "shed" });
      yield* w.round({ backlogBytesPerCustomerMax: 500 });
      assert.strictEqual(w.a.ledger.pendingBytes, 400);
    }),
  );

  it.effect("sheds what is too old", () =>
    Effect.gen(function* () {
      const w = world();
      overloaded(w);
      yield* w.round({ backlogAgeSecondsMax: 50 });
      // Older than 40 s at 99 s: 0 to 58 s.
      assert.strictEqual(w.a.ledger.books().shed.records, 59);
    }),
  );
});

describe("purging", () => {
  it.effect("has nothing to do in a log that never had a message", () =>
    Effect.gen(function* () {
      const state = partitionOf(scriptedClaim().claim, 0);
      const never = { incarnation: "i", firstSequence: 0, lastSequence: 0, bytes: 0, firstMillis: Date.UTC(1, 0) };
      const messages = yield* purge(state, never, Date.UTC(2024, 10, 14), { ...options, logMaxAgeSeconds: 200 });
      assert.strictEqual(messages, 0);
    }).pipe(Effect.provide(new KeptLog([]).layer), Effect.provide(quiet)),
  );

  it.effect("frees settled records when room runs short, and keeps the others", () =>
    Effect.gen(function* () {
      const { log, round, state } = world(30);
      state.storedLowWater = 30;
      yield* round({ logBytesMax: 11_000, logMaxAgeSeconds: 1_000, replayWindowSecondsMax: 1_000 });
      // From 100 messages to 75 percent of 110.
      assert.strictEqual(log.purgedTo, 18);
      yield* round({ logBytesMax: 5_000, logMaxAgeSeconds: 1_000, replayWindowSecondsMax: 1_000 });
      assert.strictEqual(log.purgedTo, 30, "never past what is settled");
    }),
  );

  it.effect("frees nothing that no checkpoint has said to be settled", () =>
    Effect.gen(function* () {
      const { a, log, round } = world(99);
      yield* round({ logBytesMax: 10_000 });
      assert.strictEqual(log.purgedTo, 0);
      assert.strictEqual(a.ledger.books().expired.records, 0);
    }),
  );

  it.effect("frees what is too old to be replayed", () =>
    Effect.gen(function* () {
      const { log, round, state } = world(90);
      state.storedLowWater = 90;
      yield* round({ logMaxAgeSeconds: 1_000, replayWindowSecondsMax: 60 });
      assert.strictEqual(log.purgedTo, 39);
    }),
  );
});

describe("skipping", () => {
  it.effect("moves the cursor to now, to a time or to a sequence, with a receipt", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      const skip = (to: Parameters<typeof skipTo>[2]) =>
        skipTo(state, a, to, options).pipe(Effect.provide(log.layer), Effect.provide(quiet));
      assert.deepInclude(yield* skip({ sequence: 11 }), { lastSequence: 10, records: 10, reason: "skipped" });
      assert.deepInclude(yield* skip({ millis: 20_000 }), { firstSequence: 11, lastSequence: 20, records: 10 });
      assert.strictEqual((yield* Effect.flip(skip({ sequence: 5 })))._tag, "CannotSkip");
      assert.strictEqual((yield* Effect.flip(skip({ sequence: 500 })))._tag, "CannotSkip");
      assert.deepInclude(yield* skip("now"), { firstSequence: 21, lastSequence: 100, records: 80 });
      assert.isUndefined(yield* skip("now"));
      assert.strictEqual(a.ledger.books().shed.records, 100);
    }),
  );

  it.effect("waits for an attempt to end, but not for ever", () =>
    Effect.gen(function* () {
      const { a, log, state } = world();
      a.actor = { ...a.actor!, delivery: () => "pushing" };
      a.isAttemptBegun = true;
      const skipping = yield* Effect.forkChild(
        Effect.flip(skipTo(state, a, "now", options)).pipe(Effect.provide(log.layer), Effect.provide(quiet)),
      );
      yield* TestClock.adjust("11 seconds");
      assert.strictEqual((yield* Fiber.join(skipping))._tag, "CannotSkip");
      assert.strictEqual(a.cursor, 0);
    }),
  );
});
