import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Result } from "effect";
import { TestClock } from "effect/testing";
import { DrillFaults } from "../../src/actors/ports/drill-faults.ts";
import { makeNodeDrill } from "../../src/node/drill-faults.ts";
import { Nats } from "../../src/streams/nats.ts";
import { quiet } from "../support/world.ts";

/** Never asked here. */
const noNats = Layer.succeed(Nats, {} as Nats["Service"]);

const start = Effect.fnUntraced(function* (enabled: boolean) {
  const drill = yield* makeNodeDrill(enabled, { node: "node-1", roles: ["owner"] });
  const admin = yield* drill.admin((name) => name === "jobsMax");
  return { ...drill, admin };
});

const inScope = Effect.provide(Layer.merge(quiet, noNats));

describe("what drills arm and switch off on a node", () => {
  it.effect("runs out by itself, and is told each time that it changes", () =>
    Effect.gen(function* () {
      const { admin, now, onChange, switches } = yield* start(true);
      let told = 0;
      onChange(() => (told += 1));
      yield* admin.arm("generator.empty", 10);
      yield* admin.switchGuard("admission", false, 5);
      assert.isTrue(switches.isArmed("generator.empty"));
      assert.isFalse(switches.isArmed("generator.everything"));
      assert.isFalse(switches.isGuardOn("admission"));
      assert.isTrue(switches.isGuardOn("bufferLimit"));
      assert.deepStrictEqual(now(), {
        node: "node-1",
        roles: ["owner"],
        faults: [{ name: "generator.empty", untilMillis: 10_000 }],
        guardsOff: [{ name: "admission", untilMillis: 5_000 }],
      });
      yield* TestClock.adjust("6 seconds");
      assert.isTrue(switches.isGuardOn("admission"));
      assert.isTrue(switches.isArmed("generator.empty"));
      yield* TestClock.adjust("5 seconds");
      assert.deepStrictEqual(now(), { node: "node-1", roles: ["owner"], faults: [], guardsOff: [] });
      assert.strictEqual(told, 4);
    }).pipe(Effect.scoped, inScope),
  );

  it.effect("is taken back one by one or all at once", () =>
    Effect.gen(function* () {
      const { admin, switches } = yield* start(true);
      for (const name of ["generator.empty", "snapshot.corrupt", "forwarder.failsOpen"] as const) {
        yield* admin.arm(name, 60);
      }
      yield* admin.disarm("generator.empty");
      assert.isFalse(switches.isArmed("generator.empty"));
      assert.isTrue(switches.isArmed("snapshot.corrupt"));
      assert.deepStrictEqual((yield* admin.disarm(undefined)).faults, []);
      yield* admin.switchGuard("admission", false, 60);
      yield* admin.switchGuard("admission", true, 60);
      assert.isTrue(switches.isGuardOn("admission"));
    }).pipe(Effect.scoped, inScope),
  );

  it.effect("is refused on a node that was not started for drills, and nothing changes there", () =>
    Effect.gen(function* () {
      const { admin, now, switches } = yield* start(false);
      for (const asked of [
        admin.arm("generator.empty", 60),
        admin.disarm(undefined),
        admin.switchGuard("admission", false, 60),
      ]) {
        const result = yield* Effect.result(asked as Effect.Effect<unknown, { readonly _tag: string }>);
        assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "done", "NotInDrill");
      }
      assert.isFalse(switches.isArmed("generator.empty"));
      assert.isTrue(switches.isGuardOn("admission"));
      assert.isUndefined(now());
    }).pipe(Effect.scoped, inScope),
  );

  it.effect("marks no limit that does not exist", () =>
    Effect.gen(function* () {
      const { admin } = yield* start(true);
      const refused = yield* Effect.flip(admin.mark("hot-customer", ["noSuchMax"]));
      assert.strictEqual(refused._tag, "UnknownLimit");
    }).pipe(Effect.scoped, inScope),
  );

  it.effect("is nothing where nobody provides it", () =>
    Effect.gen(function* () {
      const drill = yield* DrillFaults;
      assert.isFalse(drill.isArmed("forwarder.failsOpen"));
      assert.isTrue(drill.isGuardOn("lastKnownGood"));
    }),
  );
});
