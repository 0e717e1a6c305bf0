import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { makeNodeAdmission, type NodeAdmissionOptions } from "../../../src/actors/admission/admission.ts";
import { DrillFaults } from "../../../src/actors/ports/drill-faults.ts";
import { Backlogs } from "../../../src/actors/ports/backlogs.ts";
import { Jobs, type JobSet } from "../../../src/actors/ports/jobs.ts";
import type { RecordSpans } from "../../../src/actors/ports/outbox.ts";
import { makePair, type Pair } from "../../../src/domain/partition.ts";
import { Dice } from "../../simulation/dice.ts";
import { limits, quiet } from "../../support/world.ts";

const pairOf = (name: string): Pair => makePair(name, "logs", 8);

const setOf = (names: ReadonlyArray<string>): JobSet => ({
  number: 1,
  byId: new Map(),
  byPair: new Map(),
  pairs: new Map(names.map(pairOf).map((pair) => [pair.key, pair])),
});

const spansOf = (pair: Pair, bytes: number): RecordSpans => ({
  body: Buffer.alloc(0),
  pairs: [pair],
  starts: [0],
  stops: [bytes],
  records: [1],
  bytes,
});

/** A node whose memory, delay and reports are what the test says. */
const node = Effect.fnUntraced(function* (over: Partial<NodeAdmissionOptions> = {}) {
  const reads = { memoryBytes: 0, eventLoopDelayMillis: 0, unscannedBytes: undefined as number | undefined };
  const jobs = { set: setOf(["old"]) };
  const layer = Layer.mergeAll(
    Layer.succeed(Backlogs, {
      partitions: 8,
      publish: () => Effect.void,
      latest: (partition) =>
        partition !== 3 || reads.unscannedBytes === undefined
          ? undefined
          : { receivedMillis: 0, report: { unscannedBytes: reads.unscannedBytes } as never },
    }),
    Layer.succeed(Jobs, {
      served: () => jobs.set,
      onChange: () => Effect.void,
      atRevision: () => Effect.succeed(undefined),
      absence: () => Effect.succeed("forgotten" as const),
    }),
  );
  const admission = yield* makeNodeAdmission({
    ...limits,
    memoryBytesMax: 1_000,
    memoryBytes: () => reads.memoryBytes,
    eventLoopDelayMillis: () => reads.eventLoopDelayMillis,
    ...over,
  }).pipe(Effect.provide(layer));
  yield* Effect.yieldNow;
  return { admission, reads, jobs };
});

describe("the node's admission", () => {
  it.effect("takes a step per sample, ten times a second, surges with memory, and comes back by itself", () =>
    Effect.gen(function* () {
      const { admission, reads } = yield* node();
      reads.memoryBytes = 990;
      const states = [];
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust(100);
        states.push(admission.state());
      }
      assert.deepStrictEqual(states, ["guarded", "surging", "closed"]);
      reads.memoryBytes = 10;
      yield* TestClock.adjust(10_000);
      assert.strictEqual(admission.state(), "open");
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("listens to residents, to the event loop and to the fullest partition; what is unknown is not full", () =>
    Effect.gen(function* () {
      const { admission, reads } = yield* node();
      yield* TestClock.adjust(5_000);
      assert.strictEqual(admission.state(), "open");
      reads.unscannedBytes = limits.logBytesMax * 0.7 * 0.71;
      yield* TestClock.adjust(500);
      assert.strictEqual(admission.state(), "guarded");
      reads.unscannedBytes = 0;
      yield* TestClock.adjust(5_000);
      assert.strictEqual(admission.state(), "open");
      admission.watchResidents(() => 75, 100);
      yield* TestClock.adjust(500);
      assert.strictEqual(admission.state(), "guarded");
      admission.watchResidents(() => 0, 100);
      reads.eventLoopDelayMillis = limits.eventLoopDelayMillisMax;
      yield* TestClock.adjust(1_000);
      assert.strictEqual(admission.state(), "closed");
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("lets new buffers come at their pace: a burst, then by the second, and none when closed", () =>
    Effect.gen(function* () {
      const { admission, reads } = yield* node({ newBuffersPerSecondMax: 10, newBuffersBurstMax: 50 });
      const created = () => Array.from({ length: 1_000 }, () => admission.mayCreate()).filter(Boolean).length;
      assert.strictEqual(created(), 50);
      assert.strictEqual(created(), 0);
      yield* TestClock.adjust(1_000);
      assert.isAtMost(created(), 10);
      reads.memoryBytes = 990;
      yield* TestClock.adjust(2_000);
      assert.deepStrictEqual([admission.state(), created()], ["closed", 0]);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("lets every buffer and every newcomer in while a drill has switched its guards off", () =>
    Effect.gen(function* () {
      const off = new Set<string>(["bufferLimit", "admission"]);
      const drill = { isArmed: () => false, isGuardOn: (name: string) => !off.has(name) };
      const limited = { newBuffersPerSecondMax: 1, newBuffersBurstMax: 1 };
      const { admission, reads } = yield* Effect.provideService(node(limited), DrillFaults, drill);
      assert.deepStrictEqual(
        Array.from({ length: 50 }, () => admission.mayCreate()).filter((may) => !may),
        [],
      );
      reads.memoryBytes = 999;
      yield* TestClock.adjust("1 second");
      assert.strictEqual(admission.state(), "closed");
      admission.see(pairOf("new"));
      assert.isTrue(admission.mayPublish(pairOf("new")));
      off.clear();
      assert.isFalse(admission.mayPublish(pairOf("new")));
      assert.isFalse(admission.mayCreate());
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("holds newcomers to their share in a surge, and lets none in when closed", () =>
    Effect.gen(function* () {
      const { admission, jobs, reads } = yield* node();
      jobs.set = setOf(["old", "new"]);
      admission.see(pairOf("old"));
      yield* TestClock.adjust(70_000);
      admission.see(pairOf("new"));
      assert.isTrue(admission.mayPublish(pairOf("new")), "there is no surge");
      reads.memoryBytes = 900;
      yield* TestClock.adjust(1_000);
      assert.strictEqual(admission.state(), "surging");
      assert.isTrue(admission.mayPublish(pairOf("new")));
      admission.published(spansOf(pairOf("new"), 1_000_000));
      assert.isFalse(admission.mayPublish(pairOf("new")), "the share is used up");
      yield* TestClock.adjust(20_000);
      assert.isTrue(admission.mayPublish(pairOf("new")));
      reads.memoryBytes = 990;
      yield* TestClock.adjust(500);
      assert.isFalse(admission.mayPublish(pairOf("new")), "closed");
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("surges with newcomers at the door, and a surge that is kept out is not over while they come again", () =>
    Effect.gen(function* () {
      const { admission, jobs } = yield* node({ newBuffersPerSecondMax: 100 });
      yield* TestClock.adjust(70_000);
      const flood = Array.from({ length: 1_000 }, (_, i) => pairOf(`new-${i}`));
      jobs.set = setOf(["old", ...flood.map(({ customer }) => customer)]);
      flood.forEach(admission.see);
      yield* TestClock.adjust(200);
      assert.strictEqual(admission.state(), "surging");
      admission.published(spansOf(flood[0]!, 10_000_000));
      for (let second = 0; second < 60; second++) {
        assert.isFalse(flood.some(admission.mayPublish));
        yield* TestClock.adjust(1_000);
        assert.strictEqual(admission.state(), "surging", `after ${second} s`);
      }
      yield* TestClock.adjust(15_000);
      assert.strictEqual(admission.state(), "open", "nobody comes any more");
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("one newcomer that tries all the time is one", () =>
    Effect.gen(function* () {
      const { admission, jobs, reads } = yield* node({ newBuffersPerSecondMax: 100 });
      yield* TestClock.adjust(70_000);
      jobs.set = setOf(["new"]);
      admission.see(pairOf("new"));
      reads.memoryBytes = 990;
      yield* TestClock.adjust(1_000);
      reads.memoryBytes = 0;
      for (let tenth = 0; tenth < 100; tenth++) {
        for (let i = 0; i < 1_000; i++) admission.mayPublish(pairOf("new"));
        yield* TestClock.adjust(100);
      }
      assert.strictEqual(admission.state(), "open");
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  for (const seed of Array.from({ length: 50 }, (_, i) => i + 1)) {
    it.effect(`never holds an established pair back, in any state, whatever others do (seed ${seed})`, () =>
      Effect.gen(function* () {
        const dice = new Dice(seed);
        const { admission, jobs, reads } = yield* node();
        const established = ["old", "older"].map(pairOf);
        jobs.set = setOf(["old", "older"]);
        established.forEach(admission.see);
        yield* TestClock.adjust(70_000);
        for (let step = 0; step < 100; step++) {
          reads.memoryBytes = dice.int(0, 1_200);
          reads.eventLoopDelayMillis = dice.int(0, 1_500);
          reads.unscannedBytes = dice.chance(0.5) ? undefined : dice.int(0, limits.logBytesMax);
          const stranger = pairOf(`stranger-${dice.int(0, 40)}`);
          jobs.set = setOf([...jobs.set.pairs.values()].map(({ customer }) => customer).concat(stranger.customer));
          admission.see(stranger);
          if (admission.mayPublish(stranger)) admission.published(spansOf(stranger, dice.int(0, 5_000_000)));
          if (dice.chance(0.3)) admission.mayCreate();
          for (const pair of established) {
            admission.see(pair);
            assert.isTrue(admission.mayPublish(pair), `${admission.state()} at step ${step}`);
            admission.published(spansOf(pair, dice.int(0, 1_000_000)));
          }
          yield* TestClock.adjust(dice.int(1, 2_000));
        }
      }).pipe(Effect.scoped, Effect.provide(quiet)),
    );
  }
});
