import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { lead } from "../../../src/control/rollout/leadership.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";

describe("the lead", () => {
  it.effect("is kept beside work that takes long, and another's once that has ended", () =>
    Effect.gen(function* () {
      const { store } = new ScriptedConfigStore();
      const first = yield* lead(store, "one", "a");
      const kept = yield* Effect.forkChild(first.keep);
      const second = yield* Effect.forkChild(lead(store, "two", "b"));
      yield* TestClock.adjust("60 seconds");
      assert.isUndefined(second.pollUnsafe(), "the first one leads");
      yield* Fiber.interrupt(kept);
      yield* TestClock.adjust("3 seconds");
      yield* Fiber.join(second);
    }),
  );

  it.effect("is given up when another one has it, and when nobody can have heard of it for long", () =>
    Effect.gen(function* () {
      const scripted = new ScriptedConfigStore();
      const first = yield* lead(scripted.store, "one", "a");
      const kept = yield* Effect.forkChild(first.keep);
      scripted.failing = /^leader$/;
      yield* TestClock.adjust("2 seconds");
      assert.isUndefined(kept.pollUnsafe(), "one answer that is missing is nothing yet");
      scripted.failing = undefined;
      yield* TestClock.adjust("2 seconds");
      scripted.failing = /^leader$/;
      yield* TestClock.adjust("3 seconds");
      assert.isTrue(Exit.isFailure(yield* Fiber.await(kept)));
      scripted.failing = undefined;

      const again = yield* lead(scripted.store, "one", "a");
      const keeps = yield* Effect.forkChild(again.keep);
      const { revision } = scripted.states.get("leader")!;
      scripted.states.set("leader", { value: { node: "two", process: "b", turn: 0 }, revision: revision + 1 });
      yield* TestClock.adjust("1 second");
      assert.isTrue(Exit.isFailure(yield* Fiber.await(keeps)));
    }),
  );
});
