import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { makeWallClock } from "../../support/wall-clock.ts";
import { Pace } from "../../../src/actors/replay/pace.ts";

describe("the pace of replays", () => {
  it.effect("lets the first through and makes the next pay for it, whoever asks", () =>
    Effect.gen(function* () {
      const pace = new Pace(1_000);
      const at: Array<number> = [];
      const take = (bytes: number) =>
        Effect.andThen(
          pace.take(bytes),
          Effect.map(Clock.currentTimeMillis, (millis) => at.push(millis)),
        );
      const all = yield* Effect.forkChild(Effect.all([take(3_000), take(500), take(1)], { concurrency: 3 }));
      yield* TestClock.adjust("10 seconds");
      yield* Fiber.join(all);
      assert.deepStrictEqual(at, [0, 3_000, 3_500]);
    }),
  );

  it.effect("saves nothing up while nobody asks", () =>
    Effect.gen(function* () {
      const pace = new Pace(1_000);
      yield* pace.take(1_000);
      yield* TestClock.adjust("1 hour");
      yield* pace.take(2_000);
      const waiting = yield* Effect.forkChild(pace.take(1));
      yield* TestClock.adjust("1999 millis");
      assert.isUndefined(waiting.pollUnsafe());
      yield* TestClock.adjust("1 millis");
      assert.isDefined(waiting.pollUnsafe());
    }),
  );

  it.effect("waits no longer when the clock is set back an hour meanwhile", () =>
    Effect.gen(function* () {
      const wall = yield* makeWallClock;
      const pace = new Pace(1_000);
      const take = (bytes: number) => pace.take(bytes).pipe(Effect.provideService(Clock.Clock, wall.clock));
      yield* take(1_000);
      wall.aheadMillis = -3_600_000;
      const waiting = yield* Effect.forkChild(take(1));
      yield* TestClock.adjust("1 second");
      assert.isDefined(waiting.pollUnsafe());
    }),
  );
});
