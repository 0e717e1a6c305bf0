import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import type { Buffer } from "../../../src/actors/buffer/buffer.ts";
import type { PartitionState } from "../../../src/actors/partition/partition-state.ts";
import { SweepRegulator } from "../../../src/actors/partition/sweep/sweep-regulator.ts";
import { SweepSchedule } from "../../../src/actors/partition/sweep/sweep-schedule.ts";
import { sweepLoop, type SweepOptions } from "../../../src/actors/partition/sweep.ts";
import { quiet } from "../../support/world.ts";
import { KeptLog } from "./kept-log.ts";
import { addBuffer, chunkOf, partitionOf, pendingBooks, rowOf, scriptedClaim } from "./partition-fixture.ts";

const batch = { maxBytes: 100_000, maxRecords: 1_000, maxIntervalSeconds: 300 };
const info = { incarnation: "i", firstSequence: 1, lastSequence: 1_000, bytes: 100_000 };
/** A hundred bytes stored are a message: ten messages a slice, the newest fifty are near. */
const options: SweepOptions = {
  readBytesMax: 1_000_000,
  sweepSliceBytesMax: 1_000,
  sweepSliceMillisMax: 1_000,
  sweepNearBytesMax: 5_000,
};

const customers = ["a", "b", "c", "d"];

/** A thousand messages, each with ten records of every customer. */
const world = () => {
  const log = new KeptLog(
    Array.from({ length: 1_000 }, (_, i) => ({
      millis: i,
      chunks: customers.map((customer) => chunkOf(customer, 10)),
    })),
  );
  const state = partitionOf(scriptedClaim().claim, 1_000);
  state.log = info;
  return { log, state };
};

const lagging = (state: PartitionState, customer: string, cursor: number, over: { weight?: number } = {}) => {
  const records = (1_000 - cursor) * 10;
  const row = rowOf(`job-${customer}`, customer, { cursor, counted: 1_000, books: pendingBooks(records) });
  const buffer = addBuffer(state, row, batch, { bytesMax: 100_000_000, closedBatchesMax: 1_000 });
  buffer.effective = { ...buffer.effective, job: { ...buffer.effective.job, ...over } };
  return buffer;
};

const names = (buffers: ReadonlyArray<Buffer>) => buffers.map(({ jobId }) => jobId.slice(4)).join("");

describe("lanes", () => {
  it("give the far one a fourth of the slices while both want some, and all when the near one wants none", () => {
    const { state } = world();
    lagging(state, "a", 0);
    const near = lagging(state, "b", 980);
    const schedule = new SweepSchedule(state, options);
    const lanes = Array.from({ length: 8 }, (_, i) => schedule.next(i)!.lane);
    assert.deepStrictEqual(lanes, ["near", "near", "near", "far", "near", "near", "near", "far"]);
    near.live = true;
    assert.strictEqual(schedule.next(9)!.lane, "far");
  });

  it("are led by who has waited longest, by weight; failing ones after the others", () => {
    const { state } = world();
    const a = lagging(state, "a", 0);
    const b = lagging(state, "b", 300, { weight: 3 });
    const c = lagging(state, "c", 600);
    const schedule = new SweepSchedule(state, options);
    const leadBy = (millis: number) => names(schedule.next(millis)!.members);
    assert.strictEqual(leadBy(0), "bc", "of greatest weight, and who lies ahead joins in passing");
    schedule.served(b, 1_000);
    schedule.served(c, 1_000);
    assert.strictEqual(leadBy(1_000), "abc");
    schedule.served(a, 1_000);
    // b has waited 3 × 100, the others 100.
    assert.strictEqual(leadBy(1_100), "bc");
    b.lastErrorMillis = 1_000;
    assert.strictEqual(leadBy(1_100), "abc", "b's wait weighs an eighth");
    // It is not forgotten all the same.
    schedule.served(a, 2_000);
    schedule.served(c, 2_000);
    assert.strictEqual(leadBy(2_010), "bc");
  });

  it("begin a slice with whoever lies just behind its leader", () => {
    const { state } = world();
    lagging(state, "a", 300);
    lagging(state, "b", 305, { weight: 5 });
    lagging(state, "c", 0);
    assert.strictEqual(names(new SweepSchedule(state, options).next(0)!.members), "ab");
  });
});

const sweep = (state: PartitionState, log: KeptLog, over: Partial<SweepOptions> = {}) =>
  Effect.forkChild(sweepLoop(state, { ...options, ...over }).pipe(Effect.provide(log.layer), Effect.provide(quiet)));

describe("sweep", () => {
  it.effect("reads the log once for all that lag together", () =>
    Effect.gen(function* () {
      const { log, state } = world();
      const buffers = customers.map((customer, i) => lagging(state, customer, i * 3));
      yield* sweep(state, log, { sweepSliceBytesMax: 1_000_000, sweepSliceMillisMax: 60_000 });
      yield* TestClock.adjust("1 second");
      assert.isTrue(buffers.every(({ live }) => live));
      assert.deepStrictEqual(
        log.reads,
        Array.from({ length: 100 }, (_, i) => i * 10 + 1),
      );
      assert.deepStrictEqual(
        buffers.map(({ window }) => window.tally().records),
        [10_000, 9_970, 9_940, 9_910],
      );
    }),
  );

  it.effect("goes where somebody wants data: what lies between is not read", () =>
    Effect.gen(function* () {
      const { log, state } = world();
      const first = lagging(state, "a", 0);
      // Has room for one message.
      first.window.hasRoom = () => first.window.isEmpty();
      const second = lagging(state, "b", 900);
      yield* sweep(state, log, { sweepSliceBytesMax: 1_000_000, sweepNearBytesMax: 1_000_000 });
      yield* TestClock.adjust("1 second");
      assert.isTrue(second.live);
      assert.strictEqual(second.window.tally().records, 1_000);
      assert.strictEqual(first.fedTo, 1);
      assert.isEmpty(log.reads.filter((from) => from > 1 && from <= 900));
    }),
  );

  it.effect("does not let who lags a little wait behind who lags a day", () =>
    Effect.gen(function* () {
      const { log, state } = world();
      // Ten messages take 100 ms: the whole log takes 10 s.
      log.onRead = () => Effect.sleep(100);
      const old = lagging(state, "a", 0);
      yield* sweep(state, log, { sweepSliceBytesMax: 100_000 });
      yield* TestClock.adjust("2 seconds");
      assert.isFalse(old.live);
      const recent = lagging(state, "b", 990);
      state.sweepWanted.raise();
      // At most the slice under way, and its own.
      yield* TestClock.adjust("1300 millis");
      assert.isTrue(recent.live);
      assert.isFalse(old.live);
      // And the other way round: who keeps lagging a little does not starve the one far behind.
      const keepLagging = Effect.gen(function* () {
        while (true) {
          yield* Effect.sleep(50);
          if (recent.live) recent.lag(990);
        }
      });
      yield* Effect.forkChild(keepLagging);
      const before = old.fedTo;
      yield* TestClock.adjust("6 seconds");
      assert.isAbove(old.fedTo, before + 50);
    }),
  );

  it.effect("makes the same batches in whatever slices and lanes it comes", () =>
    Effect.gen(function* () {
      const ranges = Effect.fnUntraced(function* (over: Partial<SweepOptions>, wait: number) {
        const { log, state } = world();
        log.onRead = () => Effect.sleep(wait);
        const buffers = customers.map((customer, i) => {
          const buffer = lagging(state, customer, i * 217);
          buffer.effective = {
            ...buffer.effective,
            job: { ...buffer.effective.job, batch: { ...batch, maxRecords: 7 } },
          };
          buffer.reset();
          return buffer;
        });
        yield* sweep(state, log, over);
        yield* TestClock.adjust("3 minutes");
        return buffers.map(({ window }) => {
          const all: Array<string> = [];
          for (let head = window.settleHead(); head !== undefined; head = window.settleHead()) {
            all.push(`${head.ref.first}-${head.ref.last}`);
          }
          return all;
        });
      });
      const whole = yield* ranges({ sweepSliceBytesMax: 100_000_000, sweepNearBytesMax: 100_000_000 }, 0);
      assert.isAbove(whole[0]!.length, 900);
      assert.deepStrictEqual(yield* ranges({ sweepSliceBytesMax: 300, sweepNearBytesMax: 2_000 }, 0), whole);
      assert.deepStrictEqual(yield* ranges({ sweepSliceMillisMax: 10 }, 7), whole);
    }),
  );

  it.effect("reads no more a second than the node allows all its sweeps together", () =>
    Effect.gen(function* () {
      const regulator = new SweepRegulator(40_000);
      const worlds = [world(), world()];
      for (const { log, state } of worlds) {
        state.sweepRegulator = regulator;
        lagging(state, "a", 0);
        yield* sweep(state, log);
      }
      // A message has 400 bytes: a hundred messages a second, of both.
      yield* TestClock.adjust("5 seconds");
      const read = worlds.reduce((sum, { log }) => sum + log.reads.length * 10, 0);
      assert.isAtMost(read, 5 * 100 + 25 + 20);
      assert.isAtLeast(read, 5 * 100 - 20);
    }),
  );
});

describe("fairness", () => {
  it.effect("compares bytes by weight of those who wanted more", () =>
    Effect.gen(function* () {
      const { state } = world();
      const [a, b, c] = [lagging(state, "a", 0), lagging(state, "b", 0, { weight: 2 }), lagging(state, "c", 0)];
      const regulator = new SweepRegulator(1);
      yield* regulator.ready([a, b, c]);
      yield* TestClock.adjust("2 seconds");
      yield* regulator.ready([a, b]);
      regulator.fed(a, 100);
      regulator.fed(b, 200);
      assert.strictEqual(regulator.fairness(), 1, "c no longer wanted anything");
      yield* regulator.ready([c]);
      assert.closeTo(regulator.fairness(), 4 / 6, 1e-9, "now it does, and had nothing");
    }),
  );
});
