import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { pushAgain } from "../../../src/actors/replay/push-again.ts";
import { deferred, delivered, type PushOutcome } from "../../../src/domain/push-outcome.ts";

const batch = {
  ref: { first: 1, last: 1, records: 1, bytes: 10, startMillis: 0, endMillis: 0, closedBy: "size" },
  id: "id",
  body: [],
  bodyBytes: 0,
} as const;
const policy = { baseMillis: 100, maxMillis: 1_000, attemptsMax: 3 };

const over = (answer: () => PushOutcome) =>
  Effect.succeed({ host: "test", locate: () => "test", push: () => Effect.sync(answer) });

describe("a batch that is pushed again", () => {
  it.effect("is given up after so many attempts", () => {
    let pushes = 0;
    const fails = () => ((pushes += 1), deferred("timeout", "slow"));
    return Effect.gen(function* () {
      const pushing = yield* Effect.forkChild(pushAgain(over(fails), batch, policy, () => {}));
      yield* TestClock.adjust(60_000);
      assert.strictEqual((yield* Fiber.join(pushing))._tag, "Deferred");
      assert.strictEqual(pushes, 3);
    });
  });

  it.effect("waits as long as a kill switch is on: that counts as no attempt", () => {
    let isOn = true;
    const attempts: Array<number> = [];
    const held = () =>
      isOn ? deferred("switched-off", "held", { retryAfterMillis: 15_000, ambiguous: false }) : delivered(200);
    return Effect.gen(function* () {
      const pushing = yield* Effect.forkChild(
        pushAgain(over(held), batch, policy, ({ attempt }) => attempts.push(attempt)),
      );
      for (let look = 0; look < 20; look++) yield* TestClock.adjust(15_000);
      assert.isAtLeast(attempts.length, 10);
      assert.deepStrictEqual(new Set(attempts), new Set([1]));
      isOn = false;
      yield* TestClock.adjust(15_000);
      assert.strictEqual((yield* Fiber.join(pushing))._tag, "Delivered");
    });
  });
});
