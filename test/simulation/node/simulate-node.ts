import { Effect, Exit, Fiber, Layer, Random, References, Scheduler, Scope } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { Owner } from "../../../src/actors/owner.ts";
import { totalsOf } from "../../../src/actors/residency/accounts.ts";
import { pairKey } from "../../../src/domain/partition.ts";
import { Life } from "../life.ts";
import { inTime, stuck } from "../simulate-partition.ts";
import {
  assertAcknowledgedIsStored,
  assertAtAnyMoment,
  assertEnd,
  assertIsolated,
  assertQuotasHold,
  lagMillisOf,
  watchStored,
} from "./node-verdicts.ts";
import { allCustomers, customers, dataset, NodeWorld } from "./node-world.ts";
import type { Door } from "./scripted-door.ts";
import { layerSimulatedClock } from "../simulated-clock.ts";

interface Running {
  readonly life: Life;
  readonly owner: Owner["Service"];
  readonly door: Door;
  readonly scope: Scope.Closeable;
}

const begin = Effect.fnUntraced(function* (world: NodeWorld, life: Life, number: number) {
  const scope = yield* Scope.make();
  const both = Effect.all({ owner: Owner, door: world.door });
  const running = yield* Layer.build(Layer.fresh(world.node(life, `run-${number}`))).pipe(
    Effect.flatMap((context) => Effect.provideContext(both, context)),
    Scope.provide(scope),
  );
  world.residencies.add(running.owner.residency);
  return { life, scope, ...running } satisfies Running;
});

const end = ({ life, scope }: Running) =>
  Effect.suspend(() => {
    life.isDead = true;
    return inTime(Scope.close(scope, Exit.void));
  });

/** Whoever may be asked at the moment. */
interface Doors {
  current: Door | undefined;
  isOver: boolean;
}

/** Producers: what had no answer, or was refused for now, they send again, marked so that each line is there once. */
const produce = Effect.fnUntraced(function* (world: NodeWorld, doors: Doors) {
  const { dice } = world;
  const again: Array<string> = [];
  while (!doors.isOver) {
    yield* Effect.sleep(dice.int(50, 400));
    const door = doors.current;
    if (door === undefined) continue;
    const body = again.splice(0, dice.int(0, 5)).map((customer) => [customer, world.line(customer)] as const);
    for (const customer of allCustomers) {
      if (!dice.chance(0.5)) continue;
      for (let i = dice.int(1, 3); i > 0; i--) body.push([customer, world.line(customer)]);
    }
    const strangers = dice.int(0, 2);
    for (let i = 0; i < strangers; i++) body.push(["stranger", world.line("stranger")]);
    // A node that dies leaves its producers without an answer.
    const answer = yield* Effect.race(
      door.ingest(body.map(([, line]) => line)),
      Effect.as(Effect.sleep(2_000), undefined),
    );
    for (const [i, [customer, line]] of body.entries()) {
      if (customer === "stranger") continue;
      if (answer === undefined) again.push(customer);
      else if (!world.note(customer, line, answer.refused.get(i)) && dice.chance(0.3)) again.push(customer);
    }
    if (answer !== undefined) assert.strictEqual(answer.unconfigured, strangers, "only what nobody wants is dropped");
  }
});

/** Lets the node run for a while; every few moments what must always be true is checked. */
const live = Effect.fnUntraced(function* (world: NodeWorld, { owner }: Running, steps: number) {
  for (let step = 0; step < steps; step++) {
    yield* TestClock.adjust(world.dice.int(100, 500));
    if (world.failures.length > 0) throw world.failures[0];
    assertAtAnyMoment(world, owner);
    if (world.dice.chance(0.05)) world.changeTempers();
  }
});

/** The servers' clock is set an hour ahead, or was and is set back. */
const jump = (world: NodeWorld): void => {
  const { dice, logs } = world;
  if (!world.jumps || !dice.chance(0.4)) return;
  const aheadMillis = logs[0]!.aheadMillis === 0 ? 3_600_000 : 0;
  for (const log of logs) log.aheadMillis = aheadMillis;
};

/** One node after the other, each killed, drained, or cut off while the next takes over. */
const liveAndDie = Effect.fnUntraced(function* (world: NodeWorld, doors: Doors, lives: number) {
  const { dice } = world;
  let before: Running | undefined;
  for (let i = 0; i < lives; i++) {
    const running = yield* begin(world, new Life(dice.pick(["here", `there-${i}`]), true), i);
    doors.current = running.door;
    world.changeTempers();
    yield* live(world, running, dice.int(8, 50));
    jump(world);
    if (before !== undefined) {
      before.life.isCutOff = false;
      yield* live(world, running, 12);
      yield* end(before);
      before = undefined;
    }
    const how = dice.pick(["killed", "killed", "drained", "cut off"]);
    if (how === "drained") yield* inTime(running.owner.drain);
    if (how === "cut off") {
      running.life.isCutOff = true;
      before = running;
    } else {
      doors.current = undefined;
      yield* end(running);
    }
  }
  if (before !== undefined) yield* end(before);
});

const isSettled = (world: NodeWorld, owner: Owner["Service"]): boolean =>
  world.logs.every((log, partition) => {
    const state = owner.owned().get(partition)?.state;
    if (state === undefined || !state.isAdopted || state.position < log.messages.length) return false;
    return totalsOf(state).pending.records === 0;
  });

/** The node has all partitions, and who is well is close behind. */
const areWell = (world: NodeWorld, owner: Owner["Service"]): boolean =>
  owner.owned().size === world.logs.length &&
  customers.good.every((customer) => lagMillisOf(world, owner, customer) < 5_000);

/** Some destinations are ill for long, the others' customers must not notice; then all get well. */
const troubleAndPeace = Effect.fnUntraced(function* (world: NodeWorld, doors: Doors, last: Running) {
  // What the lives before have left is delivered first: it is nobody's fault now.
  world.tempers.clear();
  for (let i = 0; !areWell(world, last.owner); i++) {
    yield* live(world, last, 5);
    world.tempers.clear();
    if (i > 300) assert.fail(`nobody is ill, and somebody lags: ${JSON.stringify(stuck(last.owner))}`);
  }
  for (const customer of customers.bad)
    world.tempers.set(customer, world.dice.pick(["hanging", "failing", "refusing"]));
  // What was over its quota before is told a moment later that it is no more.
  for (let i = 0; i < 10; i++) yield* TestClock.adjust(500);
  const before = new Map(world.refusals.overQuota);
  for (let step = 0; step < 60; step++) {
    yield* TestClock.adjust(world.dice.int(500, 900));
    if (world.failures.length > 0) throw world.failures[0];
    assertAtAnyMoment(world, last.owner);
    assertQuotasHold(world, last.owner);
    // Newcomers share half of the places: with too few for all, some wait for those that are stuck.
    if (world.jobs.byId.size * 2 <= world.limits.residentBuffersMax) assertIsolated(world, last.owner, before);
  }
  doors.isOver = true;
  world.tempers.clear();
});

const simulate = Effect.fnUntraced(function* (seed: number) {
  const world = new NodeWorld(seed);
  const { dice, store } = world;
  world.jumps = seed % 4 === 0;
  watchStored(world);
  const doors: Doors = { current: undefined, isOver: false };
  const producing = yield* Effect.forkChild(produce(world, doors));
  const lives = dice.int(0, 3);
  yield* liveAndDie(world, doors, lives);
  const last = yield* begin(world, new Life("last", false), lives);
  doors.current = last.door;
  yield* troubleAndPeace(world, doors, last);
  yield* inTime(Fiber.join(producing));
  for (let i = 0; !isSettled(world, last.owner); i++) {
    yield* live(world, last, 5);
    world.tempers.clear();
    if (i > 300) assert.fail(`what is pending is not delivered: ${JSON.stringify(stuck(last.owner))}`);
  }
  yield* inTime(last.owner.drain);
  yield* end(last);
  assertEnd(world);
  for (const customer of allCustomers) assertAcknowledgedIsStored(world, pairKey(customer, dataset), customer);
  return { pushes: store.pushes.all, ...world.summary() };
});

/** One node's story from the first record to the last, told by a seed. Fails when a promise is broken. */
export const simulateNode = (seed: number) =>
  simulate(seed).pipe(
    Effect.provide(layerSimulatedClock),
    Random.withSeed(seed),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provideService(Scheduler.MaxOpsBeforeYield, [8, 64, 2_048, 2_048][seed % 4]!),
    Effect.tapCause(() => Effect.sync(() => void process.stderr.write(`simulation failed: node SEED=${seed}\n`))),
  );
