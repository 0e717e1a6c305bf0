import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect } from "effect";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { delivered, type PushOutcome } from "../../../src/domain/push-outcome.ts";
import { actorsOver, give, settle, started } from "./actor-world.ts";

describe("pushes of a buffer", () => {
  it.effect("settle one batch after the other when the destination answers before its push returns", () => {
    const seen: Array<string> = [];
    return Effect.gen(function* () {
      const buffer = yield* started("job-1");
      for (const sequence of [1, 2, 3]) give(buffer, sequence);
      yield* settle;
      assert.deepStrictEqual(seen, ["1-1 1", "2-2 1", "3-3 1"]);
      assert.strictEqual(buffer.cursor, 3);
      assert.strictEqual(buffer.ledger.pendingRecords, 0);
      assert.strictEqual(buffer.actor?.delivery(), "idle");
    }).pipe(
      Effect.provide(
        actorsOver(({ attempt, batch }) => {
          seen.push(`${batch.first}-${batch.last} ${attempt}`);
          return Effect.succeed(delivered(200));
        }),
      ),
    );
  });

  it.effect("are interrupted by a drain, and what they answer afterwards moves no cursor", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<PushOutcome>();
      let interrupted = 0;
      yield* Effect.gen(function* () {
        const buffer = yield* started("job-1");
        give(buffer, 1);
        yield* settle;
        assert.strictEqual(buffer.actor?.delivery(), "pushing");
        buffer.actor?.send({ type: "buffer.drain" });
        yield* Deferred.succeed(answer, delivered(200));
        yield* settle;
        assert.strictEqual(interrupted, 1);
        assert.strictEqual(buffer.actor?.delivery(), "draining");
        assert.strictEqual(buffer.cursor, 0);
        assert.isTrue(buffer.actor?.context().ambiguous);
      }).pipe(
        Effect.provide(
          actorsOver(() =>
            Effect.onInterrupt(Deferred.await(answer), () =>
              Effect.sync(() => {
                interrupted += 1;
              }),
            ),
          ),
        ),
      );
    }),
  );

  it.effect("are interrupted when the actor is stopped", () => {
    let interrupted = 0;
    return Effect.gen(function* () {
      const buffer = yield* started("job-1");
      give(buffer, 1);
      yield* settle;
      yield* (yield* BufferActors).stop(buffer);
      yield* settle;
      assert.strictEqual(interrupted, 1);
    }).pipe(
      Effect.provide(
        actorsOver(() =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted += 1;
            }),
          ),
        ),
      ),
    );
  });

  for (const [how, defect] of [
    ["dies", () => Effect.die("a defect")],
    [
      "throws",
      () => {
        throw new Error("a defect");
      },
    ],
  ] as const) {
    it.effect(`crash their own buffer when the destination's code ${how}, and give their place back`, () =>
      Effect.gen(function* () {
        const broken = yield* started("job-broken");
        const whole = yield* started("job-whole");
        give(broken, 1);
        give(whole, 1);
        yield* settle;
        assert.strictEqual(broken.crashes, 1);
        assert.isUndefined(broken.actor);
        assert.strictEqual(broken.cursor, 0);
        give(whole, 2);
        yield* settle;
        assert.strictEqual(whole.cursor, 2);
        assert.strictEqual(whole.crashes, 0);
      }).pipe(
        Effect.provide(actorsOver((_, job) => (job === "job-broken" ? defect() : Effect.succeed(delivered(200))), 1)),
      ),
    );
  }
});
