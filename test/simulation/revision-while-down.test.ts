import { describe, it } from "@effect/vitest";
import { Effect, Fiber, Random, References } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { Life } from "./life.ts";
import { PartitionWorld } from "./partition-world.ts";
import { begin, end, inTime, isSettled, stuck } from "./simulate-partition.ts";
import { assertAtLeastOnce } from "./verdicts.ts";
import { layerSimulatedClock } from "./simulated-clock.ts";

/** The first batch of each job that arrived and that nothing durable tells of. */
const unknownFirsts = ({ checkpoints, store }: PartitionWorld) =>
  checkpoints.rows().flatMap(({ books, cursor, job }) => {
    const known = books.pending.records > 0 ? cursor : Math.max(cursor, checkpoints.register!.scan);
    const first = store.of(job).find(({ last }) => last > known);
    return first === undefined ? [] : [{ ...first, isPending: books.pending.records > 0 }];
  });

/** An owner without faults is killed, jobs are revised while nobody runs, and another one brings all to its end. */
const reviseWhileDown = Effect.fnUntraced(function* (seed: number) {
  const world = new PartitionWorld(seed);
  const { dice, log, store } = world;
  const producing = yield* Effect.forkChild(world.produce(dice.int(20, 60)));
  const killed = yield* begin(world, new Life("killed", false));
  const pushes = dice.int(3, 30);
  for (let i = 0; i < 200 && store.pushes.all < pushes; i++) yield* TestClock.adjust(50);
  yield* end(killed);
  const unknown = unknownFirsts(world);
  for (let i = 0; i < 8; i++) yield* inTime(world.reviseSomething());
  for (let i = 0; i < 2; i++) yield* inTime(world.catchUp());
  const last = yield* begin(world, new Life("last", false));
  yield* inTime(Fiber.join(producing));
  for (let i = 0; !isSettled(world, last.owner); i++) {
    yield* TestClock.adjust(500);
    if (i > 1_000) assert.fail(`seed ${seed}: what is pending is not delivered: ${JSON.stringify(stuck(last.owner))}`);
  }
  yield* inTime(last.owner.drain);
  yield* end(last);
  assertAtLeastOnce(world);
  assert.isAbove(log.messages.length, 0);
  for (const { batchId, first, job, last: lastSequence } of unknown) {
    const overlapping = store.of(job).filter((each) => each.first <= lastSequence && each.last >= first);
    assert.deepStrictEqual(
      overlapping.map((each) => each.batchId),
      [batchId],
      `seed ${seed}: ${job} was cut anew`,
    );
  }
  return { pending: unknown.filter(({ isPending }) => isPending).length, all: unknown.length };
});

describe("a batch that arrived before a crash, unknown to every row", () => {
  it.live(
    "is not cut anew under a revision that came while no owner ran",
    () =>
      Effect.gen(function* () {
        const seen = { pending: 0, all: 0 };
        for (let seed = 1; seed <= 60; seed++) {
          const { all, pending } = yield* reviseWhileDown(seed).pipe(
            Effect.provide(layerSimulatedClock),
            Random.withSeed(seed),
            Effect.provideService(References.MinimumLogLevel, "None"),
          );
          seen.all += all;
          seen.pending += pending;
        }
        // The runs have run into what they are for: with records pending in the row, and without.
        assert.isAbove(seen.pending, 5);
        assert.isAbove(seen.all - seen.pending, 5);
      }),
    60_000,
  );
});
