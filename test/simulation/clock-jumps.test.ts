import { describe, it } from "@effect/vitest";
import { Effect, Random, References } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { makeWallClock, type WallClock } from "../support/wall-clock.ts";
import { HealthyNode } from "./node/healthy-node.ts";
import { lagMillisOf } from "./node/node-verdicts.ts";
import { allCustomers, customers, NodeWorld } from "./node/node-world.ts";
import { layerSimulatedClock } from "./simulated-clock.ts";

/** An hour: far more than any interval, pause, backoff or silence of this world, and than the ages it allows. */
const hourMillis = 3_600_000;

/** So that a clock that is believed by mistake shows: an hour older, everything would be too old. */
const limits = {
  logMaxAgeSeconds: 1_800,
  backlogAgeSecondsMax: 1_200,
  logBytesMax: 100_000,
  residentBuffersMax: 1_000,
  backlogBytesPerCustomerMax: 1_000_000,
  checkpointMillis: 300,
  checkpointCountMillis: 2_000,
  hibernateAfterMillis: 4_000,
  retryMillisMax: 2_000,
  windowBytesMax: 1_000_000_000,
  sweepBytesPerSecondMax: 20_000,
  bounds: { bytesMax: 3_000, closedBatchesMax: 8 },
};
/** By the server's clock ages are judged: an hour ahead, records really are that old, for JetStream too. */
const limitsOfTheOlder = { logMaxAgeSeconds: 8_000, backlogAgeSecondsMax: 7_000 };

interface Jumping {
  readonly who: "node" | "server";
  readonly byMillis: number;
}

/** The scripted server's clock is told by how far it is ahead of the node's. */
const jump = (world: NodeWorld, wall: WallClock, { byMillis, who }: Jumping): void => {
  if (who === "node") wall.aheadMillis += byMillis;
  for (const log of world.logs) log.aheadMillis += who === "node" ? -byMillis : byMillis;
};

/** As if nothing had happened: who is well has everything, checkpoints land, nobody is refused, nothing is given up. */
const assertUndisturbed = ({ owner, refused, world }: HealthyNode, when: string): void => {
  for (const customer of customers.good)
    assert.isAtMost(lagMillisOf(world, owner, customer), 6_000, `${when}: ${customer} lags`);
  for (const [i, { messages }] of world.logs.entries()) {
    assert.isTrue(owner.owned().get(i)!.state.mayPush, `${when}: pushes pause`);
    // Five messages a second.
    assert.isAbove(world.checkpoints[i]!.known.scan, messages.length - 5 * 5, `${when}: checkpoints of ${i} stopped`);
  }
  assert.strictEqual(refused, 0, `${when}: refused at the door`);
  assertNothingGivenUp(world, when);
};

const assertNothingGivenUp = (world: NodeWorld, when: string): void => {
  const { expired, shed } = world.summary();
  assert.deepStrictEqual({ expired, shed }, { expired: 0, shed: 0 }, `${when}: given up`);
};

/** Before, an hour off, and back; then an hour off again, and the destinations are repaired. */
const live = Effect.fnUntraced(function* (jumping: Jumping) {
  const world = new NodeWorld(7);
  const isOlder = jumping.who === "server" && jumping.byMillis > 0;
  Object.assign(world.limits, limits, isOlder ? limitsOfTheOlder : {});
  world.tempers.set("dog", "failing").set("eel", "throttling");
  const wall = yield* makeWallClock;
  yield* TestClock.adjust("10 hours");
  const node = yield* HealthyNode.start(world, wall.clock);
  yield* node.run(20, allCustomers);
  assertUndisturbed(node, "before");
  jump(world, wall, jumping);
  yield* node.run(20, allCustomers);
  assertUndisturbed(node, "an hour off");
  jump(world, wall, { ...jumping, byMillis: -jumping.byMillis });
  yield* node.run(20, allCustomers);
  assertUndisturbed(node, "back");
  assert.isAbove(node.pendingRecords, 100, "a backlog of those whose destinations fail");
  // What is open, paused or backing off now is so by the clock as it was before.
  jump(world, wall, jumping);
  world.tempers.clear();
  yield* node.settle(40);
  assertNothingGivenUp(world, "at the end");
  yield* node.end;
});

describe("a clock that jumps an hour, and back", () => {
  for (const who of ["node", "server"] as const) {
    for (const byMillis of [hourMillis, -hourMillis]) {
      it.live(`changes nothing when it is the ${who}'s, set ${byMillis > 0 ? "ahead" : "back"}`, () =>
        live({ who, byMillis }).pipe(
          Effect.provide(layerSimulatedClock),
          Random.withSeed(7),
          Effect.provideService(References.MinimumLogLevel, "None"),
        ),
      );
    }
  }

  it.live("keeps nothing in memory that has nothing to do", () =>
    Effect.gen(function* () {
      const world = new NodeWorld(7);
      Object.assign(world.limits, limits);
      const wall = yield* makeWallClock;
      yield* TestClock.adjust("10 hours");
      const node = yield* HealthyNode.start(world, wall.clock);
      yield* node.run(1, ["ant"]);
      yield* node.settle(20);
      yield* node.run(2, []);
      assert.isAbove(node.owner.residency.size, 0);
      jump(world, wall, { who: "node", byMillis: -hourMillis });
      yield* node.run(5, []);
      assert.strictEqual(node.owner.residency.size, 0, "it hibernates");
      yield* node.end;
    }).pipe(
      Effect.provide(layerSimulatedClock),
      Random.withSeed(7),
      Effect.provideService(References.MinimumLogLevel, "None"),
    ),
  );
});
