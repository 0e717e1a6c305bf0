import { describe, it } from "@effect/vitest";
import { Clock, Effect, Exit, Layer, Random, References, Scope } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { Owner } from "../../src/actors/owner.ts";
import { totalsOf } from "../../src/actors/residency/accounts.ts";
import { makeWallClock, type WallClock } from "../support/wall-clock.ts";
import { Life } from "./life.ts";
import { assertAtAnyMoment, assertEnd, lagMillisOf, watchStored } from "./node/node-verdicts.ts";
import { allCustomers, customers, NodeWorld } from "./node/node-world.ts";
import { inTime, stuck } from "./simulate-partition.ts";

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

/** What jumps, and where to: the node's clock, the server's, and each both ways. */
interface Jumping {
  readonly who: "node" | "server";
  readonly byMillis: number;
}

interface Scene {
  readonly world: NodeWorld;
  readonly wall: WallClock;
  readonly owner: Owner["Service"];
  /** Some steps of a fifth of a second, with records of everybody, and what must always be true checked. */
  readonly go: (seconds: number) => Effect.Effect<void>;
  /** How many lines the door took, and what it refused. */
  readonly door: { accepted: number; refused: number };
}

/** One node without faults but those of its destinations: all of `dog` fail, all of `eel` throttle. */
const scene = Effect.fnUntraced(function* (seed: number, { byMillis, who }: Jumping) {
  const world = new NodeWorld(seed);
  Object.assign(world.limits, limits);
  // By the server's clock ages are judged: an hour ahead, records really are that old for JetStream, too.
  if (who === "server" && byMillis > 0) {
    Object.assign(world.limits, { logMaxAgeSeconds: 8_000, backlogAgeSecondsMax: 7_000 });
  }
  watchStored(world);
  world.tempers.set("dog", "failing").set("eel", "throttling");
  const wall = yield* makeWallClock;
  yield* TestClock.adjust("10 hours");
  const scope = yield* Scope.make();
  const both = Effect.all({ owner: Owner, door: world.door });
  const life = new Life("here", false);
  const built = yield* Layer.build(Layer.fresh(world.node(life, "run"))).pipe(
    Effect.flatMap((context) => Effect.provideContext(both, context)),
    Scope.provide(scope),
    Effect.provideService(Clock.Clock, wall.clock),
  );
  const door = { accepted: 0, refused: 0 };
  const go = Effect.fnUntraced(function* (seconds: number) {
    for (let step = 0; step < seconds * 5; step++) {
      const body = allCustomers.map((customer) => [customer, world.line(customer)] as const);
      const sending = yield* Effect.forkChild(
        built.door.ingest(body.map(([, line]) => line)).pipe(Effect.provideService(Clock.Clock, wall.clock)),
      );
      yield* TestClock.adjust(200);
      const answer = sending.pollUnsafe();
      assert.isTrue(answer !== undefined && Exit.isSuccess(answer), "the door answers");
      const { value } = answer as Exit.Success<Effect.Success<ReturnType<typeof built.door.ingest>>>;
      for (const [i, [customer, line]] of body.entries()) world.note(customer, line, value?.refused.get(i));
      door.accepted += value?.accepted ?? 0;
      door.refused += value?.refused.size ?? body.length;
      if (world.failures.length > 0) throw world.failures[0];
      assertAtAnyMoment(world, built.owner);
    }
  });
  const end = Effect.gen(function* () {
    yield* inTime(built.owner.drain);
    life.isDead = true;
    yield* inTime(Scope.close(scope, Exit.void));
    assertEnd(world);
  });
  return { ...({ world, wall, owner: built.owner, go, door } satisfies Scene), end };
});

const jump = ({ wall, world }: Scene, { byMillis, who }: Jumping): void => {
  if (who === "node") wall.aheadMillis += byMillis;
  // The scripted server's clock is told by how far it is ahead of the node's.
  for (const log of world.logs) log.aheadMillis += who === "node" ? -byMillis : byMillis;
};

/** As if nothing had happened: who is well has everything, checkpoints land, nobody is refused, nothing is given up. */
const assertUndisturbed = ({ door, owner, world }: Scene, when: string): void => {
  for (const customer of customers.good)
    assert.isAtMost(lagMillisOf(world, owner, customer), 6_000, `${when}: ${customer} lags`);
  for (const [i, { messages }] of world.logs.entries()) {
    const { state } = owner.owned().get(i)!;
    assert.isTrue(state.mayPush, `${when}: pushes pause`);
    assert.isAbove(world.checkpoints[i]!.known.scan, messages.length - 5 * 5, `${when}: checkpoints of ${i} stopped`);
  }
  assert.strictEqual(door.refused, 0, `${when}: refused at the door`);
  const { expired, shed } = world.summary();
  assert.deepStrictEqual({ expired, shed }, { expired: 0, shed: 0 }, `${when}: given up`);
};

const pendingOf = ({ owner }: Scene): number =>
  [...owner.owned().values()].reduce((sum, { state }) => sum + totalsOf(state).pending.records, 0);

/** Before, an hour off, and back; then the destinations are repaired. */
const live = Effect.fnUntraced(function* (jumping: Jumping, seed: number) {
  const { end, ...all } = yield* scene(seed, jumping);
  yield* all.go(20);
  assertUndisturbed(all, "before");
  jump(all, jumping);
  yield* all.go(20);
  assertUndisturbed(all, "an hour off");
  jump(all, { ...jumping, byMillis: -jumping.byMillis });
  yield* all.go(20);
  assertUndisturbed(all, "back");
  assert.isAbove(pendingOf(all), 100, "a backlog of those whose destinations fail");
  // What is open, paused or backing off now is so by the clock as it was before.
  jump(all, jumping);
  all.world.tempers.clear();
  for (let step = 0; pendingOf(all) > 0; step++) {
    yield* TestClock.adjust(200);
    if (step > 200) assert.fail(`not delivered in 40 s: ${JSON.stringify(stuck(all.owner)).slice(0, 4_000)}`);
  }
  const { expired, shed } = all.world.summary();
  assert.deepStrictEqual({ expired, shed }, { expired: 0, shed: 0 });
  yield* end;
});

describe("a clock that jumps an hour, and back", () => {
  for (const who of ["node", "server"] as const) {
    for (const byMillis of [hourMillis, -hourMillis]) {
      it.live(`changes nothing when it is the ${who}'s, set ${byMillis > 0 ? "ahead" : "back"}`, () =>
        live({ who, byMillis }, 7).pipe(
          Effect.provide(TestClock.layer()),
          Random.withSeed(7),
          Effect.provideService(References.MinimumLogLevel, "None"),
        ),
      );
    }
  }
});
