import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { backlogReportLoop, LogGrowth, unscannedBytes } from "../../../src/actors/partition/backlog-reporter.ts";
import { Backlogs, type PartitionReport } from "../../../src/actors/ports/backlogs.ts";
import { Log, type LogInfo, LogUnavailable } from "../../../src/actors/ports/log.ts";
import { partitionOf, registerOf, scriptedClaim } from "./partition-fixture.ts";

const infoOf = (over: Partial<LogInfo> = {}): LogInfo => ({
  incarnation: "i",
  firstSequence: 1,
  lastSequence: 10,
  bytes: 1_000,
  firstMillis: 5,
  ...over,
});

/** A partition read up to 4, and what its loop says; the log answers as told, or not at all. */
const reporting = Effect.fnUntraced(function* () {
  const reports: Array<PartitionReport> = [];
  const world = { info: infoOf() as LogInfo | undefined };
  const state = partitionOf(scriptedClaim(registerOf({ epoch: 7 })).claim, 4);
  const layer = Layer.mergeAll(
    Layer.succeed(Log, {
      read: () => Effect.succeed([]),
      tick: () => Effect.void,
      describe: () =>
        world.info === undefined
          ? Effect.fail(new LogUnavailable({ operation: "describe", detail: "no leader" }))
          : Effect.succeed(world.info),
      purge: () => Effect.void,
      waitForWrite: () => Effect.never,
    }),
    Layer.succeed(Backlogs, {
      partitions: 1,
      publish: (report) => Effect.sync(() => void reports.push(report)),
      latest: () => undefined,
    }),
  );
  yield* Effect.forkScoped(backlogReportLoop(state).pipe(Effect.provide(layer)));
  yield* TestClock.adjust(1);
  return { reports, state, world };
});

describe("backlog reports", () => {
  it.effect("are made at once and every second, with the epoch and the clock of the owner", () =>
    Effect.gen(function* () {
      const { reports, state } = yield* reporting();
      yield* TestClock.adjust(3_000);
      assert.strictEqual(reports.length, 4);
      assert.deepStrictEqual(reports[0], {
        partition: 0,
        epoch: 7,
        millis: 0,
        scanned: 4,
        logFirst: 1,
        logLast: 10,
        logBytes: 1_000,
        appendedBytes: 0,
        unscannedBytes: 600,
        oldestMillis: 5,
        refusing: [],
      });
      state.position = 10;
      yield* TestClock.adjust(1_000);
      assert.deepStrictEqual([reports.at(-1)!.scanned, reports.at(-1)!.unscannedBytes], [10, 0]);
    }).pipe(Effect.scoped),
  );

  it.effect("come at once when the refused pairs change", () =>
    Effect.gen(function* () {
      const { reports, state } = yield* reporting();
      const before = reports.length;
      state.refusing = new Set(["acme.logs"]);
      state.reportWanted.raise();
      yield* TestClock.adjust(1);
      assert.strictEqual(reports.length, before + 1);
      assert.deepStrictEqual(reports.at(-1)!.refusing, ["acme.logs"]);
    }).pipe(Effect.scoped),
  );

  it.effect("are left out while the log does not answer, and go on afterwards", () =>
    Effect.gen(function* () {
      const { reports, world } = yield* reporting();
      world.info = undefined;
      const before = reports.length;
      yield* TestClock.adjust(10_000);
      assert.strictEqual(reports.length, before);
      world.info = infoOf({ lastSequence: 30, bytes: 3_000 });
      yield* TestClock.adjust(1_000);
      assert.strictEqual(reports.length, before + 1);
      assert.strictEqual(reports.at(-1)!.appendedBytes, 2_000);
    }).pipe(Effect.scoped),
  );

  it("count what was added to the log, also while its oldest leave it", () => {
    const growth = new LogGrowth();
    assert.strictEqual(growth.seen(infoOf()), 0);
    assert.strictEqual(growth.seen(infoOf({ lastSequence: 12, bytes: 1_500 })), 500);
    assert.strictEqual(growth.seen(infoOf({ firstSequence: 6, lastSequence: 15, bytes: 1_000 })), 800);
    assert.strictEqual(growth.seen(infoOf({ firstSequence: 16, lastSequence: 15, bytes: 0 })), 800);
    assert.strictEqual(growth.seen(infoOf({ incarnation: "another" })), 800);
  });

  it("take what is unscanned from the average message; an empty log has nothing", () => {
    assert.strictEqual(unscannedBytes(infoOf(), 10), 0);
    assert.strictEqual(unscannedBytes(infoOf(), 20), 0);
    assert.strictEqual(unscannedBytes(infoOf(), 0), 1_000);
    assert.strictEqual(unscannedBytes(infoOf({ firstSequence: 6, bytes: 500 }), 0), 500);
    assert.strictEqual(unscannedBytes(infoOf({ firstSequence: 11, bytes: 0 }), 3), 0);
  });
});
