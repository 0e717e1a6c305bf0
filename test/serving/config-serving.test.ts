import { assert, describe, it } from "@effect/vitest";
import { Effect, Metric } from "effect";
import { TestClock } from "effect/testing";
import { configUnsaved } from "../../src/observability/config-metrics.ts";
import { makeConfigServing } from "../../src/serving/config-serving.ts";
import { type LastKnownGood, LastKnownGoodError } from "../../src/serving/last-known-good.ts";
import { encodeManifest } from "../../src/snapshot/manifest.ts";
import type { Snapshot } from "../../src/snapshot/snapshot.ts";
import { entry, Snapshots } from "../snapshot/snapshot-fixture.ts";
import { limits, quiet } from "../support/world.ts";

/** A disk that is full for a while, and what is on it. */
const world = Effect.gen(function* () {
  const disk = { isFull: false, kept: 0, attempts: [] as Array<number> };
  const lastKnownGood: LastKnownGood = {
    load: Effect.undefined,
    save: ({ manifest }) =>
      Effect.suspend(() => {
        disk.attempts.push(manifest.number);
        if (disk.isFull) return Effect.fail(new LastKnownGoodError({ path: "/data", message: "ENOSPC" }));
        disk.kept = manifest.number;
        return Effect.void;
      }),
  };
  const serving = yield* makeConfigServing(lastKnownGood, {
    limits,
    cell: () => "here",
    isGateOn: () => true,
    isJob: () => true,
    adopt: () => Effect.void,
  });
  const snapshots = new Snapshots();
  const serve = Effect.gen(function* () {
    const number = snapshots.made.length + 1;
    const { snapshot } = yield* snapshots.next([entry(`job-${number}`, `customer-${number}`)]);
    yield* serving.offer(snapshot, encodeManifest((snapshot as Snapshot).manifest), false, new Map());
    yield* TestClock.adjust(0);
  });
  const isUnsaved = Effect.map(Metric.value(configUnsaved), ({ value }) => value === 1);
  return { disk, isUnsaved, serve, serving };
});

describe("the copy of what is served", () => {
  it.effect("is written when the disk takes it again, the newest one and only that, and is told of until then", () =>
    Effect.gen(function* () {
      const { disk, isUnsaved, serve, serving } = yield* world;
      yield* serve;
      assert.strictEqual(disk.kept, 1);
      assert.isFalse(yield* isUnsaved);
      disk.isFull = true;
      yield* serve;
      yield* serve;
      assert.strictEqual(serving.current()?.manifest.number, 3, "a full disk keeps no configuration away");
      assert.isTrue(yield* isUnsaved);
      yield* TestClock.adjust("10 minutes");
      assert.isTrue(yield* isUnsaved);
      assert.strictEqual(disk.kept, 1);
      assert.isBelow(disk.attempts.length, 30, "it is not hammered");
      disk.isFull = false;
      yield* TestClock.adjust("30 seconds");
      assert.strictEqual(disk.kept, 3);
      assert.isFalse(yield* isUnsaved);
      const { length } = disk.attempts;
      yield* TestClock.adjust("10 minutes");
      assert.strictEqual(disk.attempts.length, length, "once kept, it is left alone");
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});
