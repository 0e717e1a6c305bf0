import { Effect, Exit, Fiber, Layer, Random, References, Scheduler, Scope } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { skipTo } from "../../src/actors/partition/skip.ts";
import { Owner } from "../../src/actors/owner.ts";
import { totalsOf } from "../../src/actors/residency/accounts.ts";
import { Life } from "./life.ts";
import { PartitionWorld } from "./partition-world.ts";
import {
  assertAccounted,
  assertAtLeastOnce,
  assertBooksBalance,
  assertExactlyOnce,
  assertNobodyMissed,
  assertStoredIsWhole,
  assertUnclaimed,
} from "./verdicts.ts";
import { layerSimulatedClock } from "./simulated-clock.ts";

/** Runs an owner for a while; every few moments its books are checked. */
const live = Effect.fnUntraced(function* (world: PartitionWorld, { life, owner }: Running, steps: number) {
  for (let step = 0; step < steps; step++) {
    yield* TestClock.adjust(world.dice.int(20, 400));
    if (world.failures.length > 0) throw world.failures[0];
    assertBooksBalance(world, owner);
    if (world.dice.chance(world.revisions > 0 ? 0.05 : 0)) yield* inTime(world.reviseSomething());
    if (world.isBehind() && world.dice.chance(0.07)) yield* inTime(world.catchUp());
    isolateSomething(world, owner);
    if (world.skips) yield* inTime(skipSomething(world, owner, life));
  }
});

/** A person isolates a buffer now and then, and lets it go on. */
const isolateSomething = ({ dice }: PartitionWorld, owner: Owner["Service"]): void => {
  const buffers = [...owner.owned().values()].flatMap(({ state }) => [...state.buffers.values()]);
  for (const buffer of buffers) {
    const isIsolated = buffer.actor?.delivery() === "quarantined";
    if (isIsolated && dice.chance(0.3)) buffer.resume();
    else if (!isIsolated && dice.chance(0.005)) buffer.quarantine({ ...evidence, millis: 0 });
  }
};

/** A person gives up part of a backlog now and then: attempts in flight, crashes and checkpoints come between. */
const skipSomething = Effect.fnUntraced(function* (world: PartitionWorld, owner: Owner["Service"], life: Life) {
  const { dice } = world;
  if (!dice.chance(0.1)) return;
  const all = [...owner.owned().values()].flatMap(({ state }) =>
    [...state.buffers.values()].map((buffer) => ({ buffer, state })),
  );
  if (all.length === 0) return;
  const { buffer, state } = dice.pick(all);
  const to = dice.chance(0.3) ? "now" : { sequence: dice.int(buffer.cursor + 1, state.position + 1) };
  yield* skipTo(state, buffer, to, { readBytesMax: 4_194_304 }).pipe(
    Effect.provide(world.log.layer(dice, life)),
    Effect.ignore,
  );
});

const evidence = {
  event: "buffer.quarantine",
  error: "scripted",
  firstSequence: undefined,
  lastSequence: undefined,
  crashes: 0,
};

/** Runs what may wait for the clock, with the clock going. */
export const inTime = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect);
  for (let i = 0; fiber.pollUnsafe() === undefined; i++) {
    if (i > 6_000) assert.fail("it does not end in ten minutes");
    yield* TestClock.adjust(100);
  }
  return yield* Fiber.join(fiber);
});

export const begin = Effect.fnUntraced(function* (world: PartitionWorld, life: Life) {
  const scope = yield* Scope.make();
  const owner = yield* Layer.build(Layer.fresh(world.owner(life))).pipe(
    Scope.provide(scope),
    Effect.map((context) => context.mapUnsafe.get(Owner.key) as Owner["Service"]),
  );
  world.residencies.add(owner.residency);
  return { life, owner, scope };
});

type Running = Effect.Success<ReturnType<typeof begin>>;

export const end = ({ life, scope }: Running) =>
  Effect.suspend(() => {
    life.isDead = true;
    return inTime(Scope.close(scope, Exit.void));
  });

/**
 * One owner after the other, each ended in one of three ways: killed, drained, or cut off while the next takes over.
 */
const liveAndDie = Effect.fnUntraced(function* (world: PartitionWorld, lives: number) {
  const { dice } = world;
  let before: Running | undefined;
  for (let i = 0; i < lives; i++) {
    const running = yield* begin(world, new Life(dice.pick(["here", `there-${i}`]), true));
    yield* live(world, running, dice.int(4, 24));
    if (before !== undefined) {
      // The one that was cut off is heard again: it must find itself fenced and change nothing.
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
      yield* end(running);
    }
  }
  if (before !== undefined) yield* end(before);
});

export const isSettled = (world: PartitionWorld, owner: Owner["Service"]): boolean => {
  const { checkpoints, log } = world;
  if (world.isBehind()) return false;
  const owned = owner.owned().get(0);
  if (owned === undefined || owned.state.position < log.messages.length || checkpoints.register === undefined)
    return false;
  // Wherever the buffers are: resident, waiting or hibernated.
  return owned.state.isAdopted && totalsOf(owned.state).pending.records === 0;
};

const skippedOf = ({ checkpoints }: PartitionWorld): number =>
  [...checkpoints.receipts.values()].filter(({ reason }) => reason === "skipped").length;

export const stuck = (owner: Owner["Service"]) =>
  [...owner.owned().values()].map(({ state }) => ({
    position: state.position,
    scan: state.scan,
    mayPush: state.mayPush,
    waiting: [...state.waiting],
    waitingBuffers: [...state.waitingBuffers.values()].map((buffer) => [buffer.jobId, buffer.dirtiness()]),
    resident: [...state.buffers.keys()],
    buffers: [...state.buffers.values()]

      .map((buffer) => ({
        job: buffer.jobId,
        cursor: buffer.cursor,
        live: buffer.live,
        fedTo: buffer.fedTo,
        head: buffer.window.head()?.ref,
        delivery: buffer.actor?.delivery(),
        context: buffer.actor?.context(),
        dirtiness: buffer.dirtiness(),
        pending: buffer.ledger.pendingRecords,
        crashes: buffer.crashes,
        revisions: [buffer.newest.revision, buffer.effective.revision],
        limits: [buffer.newest.job.batch, buffer.effective.job.batch],
      })),
  }));

const simulate = Effect.fnUntraced(function* (seed: number) {
  const world = new PartitionWorld(seed);
  const { checkpoints, dice, store } = world;
  if (seed % 3 === 0) world.revisions = 1;
  if (seed % 3 === 1) world.poisonSome();
  world.skips = seed % 3 !== 0 && seed % 5 === 0;
  // Kept, not thrown: a thrown one would only end the owner's loop.
  checkpoints.onWrite = () => {
    try {
      assertStoredIsWhole(world, [...world.jobs.byId.values()].slice(0, 4));
    } catch (error) {
      world.failures.push(error);
    }
  };
  const producing = yield* Effect.forkChild(world.produce(dice.int(20, 120)));
  yield* liveAndDie(world, dice.int(0, 4));
  const last = yield* begin(world, new Life("last", false));
  yield* inTime(Fiber.join(producing));
  for (let i = 0; !isSettled(world, last.owner); i++) {
    yield* live(world, last, 5);
    if (i > 300) assert.fail(`what is pending is not delivered: ${JSON.stringify(stuck(last.owner))}`);
  }
  yield* inTime(last.owner.drain);
  yield* end(last);
  assert.strictEqual(checkpoints.register?.owner, null);
  assertNobodyMissed(world);
  assertUnclaimed(world, "stranger.http_requests");
  if (world.skips) assertAccounted(world);
  else if (world.revisions > 0) assertAtLeastOnce(world);
  else assertExactlyOnce(world);
  return {
    pushes: store.pushes,
    objects: store.objects.length,
    deadLetters: world.letters.size,
    skipped: skippedOf(world),
    places: world.places,
  };
});

/** One partition's story from the first message to the last, told by a seed. Fails when a promise is broken. */
export const simulatePartition = (seed: number) =>
  simulate(seed).pipe(
    Effect.provide(layerSimulatedClock),
    Random.withSeed(seed),
    Effect.provideService(References.MinimumLogLevel, "None"),
    // From giving way at every few steps, so that any two fibers meet anywhere, to hardly ever.
    Effect.provideService(Scheduler.MaxOpsBeforeYield, [8, 64, 2_048, 2_048][seed % 4]!),
    Effect.tapCause(() => Effect.sync(() => void process.stderr.write(`simulation failed: SEED=${seed}\n`))),
  );
