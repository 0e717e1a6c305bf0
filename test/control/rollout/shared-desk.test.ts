import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import type { ControlOptions } from "../../../src/control/rollout/control-options.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { shareDesk } from "../../../src/control/rollout/shared-desk.ts";
import { quiet, limits } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";

const freeze = { who: "test", why: "", atMillis: 0 };

const start = Effect.gen(function* () {
  const options = { node: "one", limits, store: new ScriptedConfigStore().store } as unknown as ControlOptions;
  const shared = yield* shareDesk(options, new NodeReports());
  /** How it looks, after at most a second. */
  const look = Effect.gen(function* () {
    const looking = yield* Effect.forkChild(shared.look, { startImmediately: true });
    yield* TestClock.adjust("1 second");
    return yield* Fiber.join(looking);
  });
  /** Somebody works at it until they are let go on. */
  const work = Effect.fnUntraced(function* (begin: (desk: ReturnType<typeof shared.now>) => void) {
    const gate = yield* Deferred.make<void>();
    const working = yield* Effect.forkChild(
      shared.use((desk) =>
        Effect.andThen(
          Effect.sync(() => begin(desk)),
          Deferred.await(gate),
        ),
      ),
      { startImmediately: true },
    );
    return Effect.andThen(Deferred.succeed(gate, undefined), Fiber.join(working));
  });
  return { shared, look, work };
});

describe("whoever looks at the desk", () => {
  it.effect("waits a second for who works at it for longer, and sees what is at the gate", () =>
    Effect.gen(function* () {
      const { look, shared, work } = yield* start;
      const done = yield* work((desk) => {
        desk.machine = { ...desk.machine, value: "gating" };
      });
      const seen = yield* look;
      assert.strictEqual(seen.machine.value, "gating");
      assert.notStrictEqual(seen, shared.now(), "what changes under who looks would be of two moments");
      yield* done;
    }).pipe(Effect.provide(quiet)),
  );

  it.effect("does not see an end before it is noted", () =>
    Effect.gen(function* () {
      const { look, work } = yield* start;
      yield* yield* work((desk) => {
        desk.machine = { ...desk.machine, value: "watching" };
      });
      const done = yield* work((desk) => {
        desk.machine = { ...desk.machine, value: "idle" };
      });
      assert.strictEqual((yield* look).machine.value, "watching");
      yield* done;
      assert.strictEqual((yield* look).machine.value, "idle");
    }).pipe(Effect.provide(quiet)),
  );

  it.effect("sees at once what somebody has just done", () =>
    Effect.gen(function* () {
      const { shared } = yield* start;
      yield* shared.use((desk) => Effect.sync(() => void (desk.state = { ...desk.state, frozen: freeze })));
      assert.deepStrictEqual((yield* shared.look).state.frozen, freeze);
    }).pipe(Effect.provide(quiet)),
  );
});
