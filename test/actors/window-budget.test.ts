import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { readLoop } from "../../src/actors/partition/reader.ts";
import { WindowBudget } from "../../src/actors/window-budget.ts";
import { quiet } from "../support/world.ts";
import { KeptLog } from "./partition/kept-log.ts";
import { addBuffer, chunkOf, partitionOf, rowOf, scriptedClaim } from "./partition/partition-fixture.ts";

const batch = { maxBytes: 100_000_000, maxRecords: 1_000_000, maxIntervalSeconds: 300 };
const bounds = { bytesMax: 1_000_000_000, closedBatchesMax: 8 };
const budgetBytes = 1_000_000;
/** What one message may take in memory at most: a run of raw records grows by doubling, up to half a megabyte. */
const messageBytesMax = 262_144;

type State = ReturnType<typeof partitionOf>;

const heldBy = (state: State) => [...state.buffers.values()].reduce((sum, { window }) => sum + window.bytes(), 0);

describe("window budget", () => {
  it.effect("is never exceeded by more than a message, and the reader never waits for it", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 600 }, (_, i) => ({ millis: i, chunks: [chunkOf(`c${i % 60}`, 2_000)] }));
      const log = new KeptLog(entries);
      log.messagesMax = 1;
      const state = partitionOf(scriptedClaim().claim, 0);
      for (let i = 0; i < 60; i++) addBuffer(state, rowOf(`job-${i}`, `c${i}`), batch, bounds);
      state.windowBudget = new WindowBudget(budgetBytes, () => state.buffers.values());
      let most = 0;
      log.onRead = () => Effect.sync(() => void (most = Math.max(most, heldBy(state))));
      yield* Effect.forkChild(
        readLoop(state, { readBytesMax: 1_000_000, readIdleMillisMax: 100 }).pipe(
          Effect.provide(log.layer),
          Effect.provide(quiet),
        ),
      );
      while (state.position < 600) yield* Effect.yieldNow;
      assert.isAtMost(most, budgetBytes + messageBytesMax);
      assert.isAbove(most, budgetBytes / 2, "it is used, though");
      assert.isAbove(state.windowBudget.givenUp, 0);
      assert.isAbove([...state.buffers.values()].filter(({ live }) => live).length, 0);
    }),
  );

  /** Feeds a chunk of so many kilobytes to a buffer of its own each. */
  const feedEach = (budget: (state: State) => WindowBudget, kilobytes: ReadonlyArray<number>, isLive = true) => {
    const state = partitionOf(scriptedClaim().claim, 0);
    const own = budget(state);
    const buffers = kilobytes.map((each, i) => {
      const buffer = addBuffer(state, rowOf(`job-${i}`, `c${i}`), batch, bounds);
      if (i === 0) buffer.actor = { ...buffer.actor!, delivery: () => "backingOff" };
      buffer.live = isLive;
      const chunk = chunkOf(`c${i}`, each * 100);
      buffer.count(1, 0, chunk);
      own.feed(buffer, { sequence: 1, millis: 0, writer: undefined, jobSet: 0, records: 1, chunks: [chunk] }, chunk);
      return buffer;
    });
    own.keep();
    return { buffers, budget: own };
  };

  it("takes from those whose destination takes nothing, then from the largest, and only as much as it must", () => {
    const lives = (bytesMax: number, kilobytes: ReadonlyArray<number>) =>
      feedEach((state) => new WindowBudget(bytesMax, () => state.buffers.values()), kilobytes).buffers.map(
        ({ live }) => live,
      );
    // 16, 32 and 64 KB are held; the first one's destination fails.
    assert.deepStrictEqual(lives(115_000, [10, 20, 40]), [true, true, true]);
    assert.deepStrictEqual(lives(114_000, [40, 20, 10]), [false, true, true]);
    assert.deepStrictEqual(lives(114_000, [10, 20, 40]), [false, true, false]);
    assert.deepStrictEqual(lives(20_000, [10, 20, 40]), [false, false, false]);
  });

  it("leaves the sweeps half of it", () => {
    const { budget, buffers } = feedEach(
      (state) => new WindowBudget(200_000, () => state.buffers.values()),
      [10, 20, 20],
      false,
    );
    assert.strictEqual(budget.sweepRoom(0), 100_000 - 16_384 - 2 * 32_768);
    // Delivered meanwhile: seen when it is counted again, which is not done all the time.
    buffers[1]!.window.drop(false);
    assert.strictEqual(budget.sweepRoom(50), 100_000 - 16_384 - 2 * 32_768);
    assert.strictEqual(budget.sweepRoom(200), 100_000 - 16_384 - 32_768);
  });
});
