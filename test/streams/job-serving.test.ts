import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { emptyJobSet } from "../../src/actors/ports/jobs.ts";
import { makeJobServing } from "../../src/streams/job-serving.ts";

/** Sets numbered 1, 2, 3, … as they are asked for. */
const counted = Effect.gen(function* () {
  let number = 0;
  const next = () => {
    number += 1;
    return { set: { ...emptyJobSet, number }, position: number };
  };
  const serving = yield* makeJobServing({ set: emptyJobSet, position: 0 }, next);
  return { serving, asked: () => number };
});

describe("serving sets of push jobs", () => {
  it.effect("makes one set in 50 ms at most, however fast changes come, and one for the last change", () =>
    Effect.gen(function* () {
      const { asked, serving } = yield* counted;
      for (let millis = 0; millis < 1_000; millis++) {
        serving.changed();
        yield* TestClock.adjust(1);
      }
      yield* TestClock.adjust(50);
      assert.isAtLeast(asked(), 20);
      assert.isAtMost(asked(), 21);
      const settled = asked();
      yield* TestClock.adjust(10_000);
      assert.strictEqual(asked(), settled, "nothing changed, nothing is made");
      assert.strictEqual(serving.served().number, settled);
    }),
  );

  it.effect("waits a second for an owner, then serves all the same", () =>
    Effect.gen(function* () {
      const { serving } = yield* counted;
      yield* serving.onChange((set) => (set.number === 0 ? Effect.void : Effect.never));
      serving.changed();
      yield* TestClock.adjust(999);
      assert.strictEqual(serving.served().number, 0);
      yield* TestClock.adjust(2);
      assert.strictEqual(serving.served().number, 1);
    }),
  );

  it.effect("ends the wait for a position with the set that reaches it, and not before", () =>
    Effect.gen(function* () {
      const { serving } = yield* counted;
      const waiting = yield* Effect.forkChild(serving.awaitPosition(2));
      serving.changed();
      yield* TestClock.adjust(60);
      assert.strictEqual(serving.servedPosition(), 1);
      assert.isUndefined(waiting.pollUnsafe());
      serving.changed();
      yield* TestClock.adjust(60);
      yield* Fiber.join(waiting);
      assert.strictEqual(serving.servedPosition(), 2);
    }),
  );

  it.effect("does not let a registration that hangs keep others from being served", () =>
    Effect.gen(function* () {
      const { serving } = yield* counted;
      yield* Effect.forkChild(serving.onChange(() => Effect.never));
      yield* TestClock.adjust(1);
      serving.changed();
      yield* TestClock.adjust(1_001);
      assert.strictEqual(serving.served().number, 1);
    }),
  );
});
