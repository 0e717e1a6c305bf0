import { Effect, Fiber, Option, Random, References, Scheduler } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import type { GuardName } from "../../../src/domain/drill-state.ts";
import { Life } from "../life.ts";
import { begin, kill, type RunningNode } from "./config-node.ts";
import { isInForce, servedIn } from "./config-verdicts.ts";
import { ConfigWorld } from "./config-world.ts";
import { jobOf } from "./job-history.ts";
import { layerSimulatedClock } from "../simulated-clock.ts";

const names = ["one", "two"];
const firstCustomers = 60;

/** Runs what may wait for the clock, with the clock going. */
const inTime = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect);
  for (let i = 0; fiber.pollUnsafe() === undefined; i++) {
    if (i > 2_000) assert.fail("it does not end");
    yield* TestClock.adjust(20);
  }
  return yield* Fiber.join(fiber);
});

const ask = (world: ConfigWorld, command: object) =>
  inTime(
    Effect.promise(() => world.ask(command)).pipe(
      // Who was asked may be gone.
      Effect.timeoutOption("5 seconds"),
      Effect.map(Option.getOrUndefined),
    ),
  );

/** Somebody changes push jobs: one, a few, or many of them at once. */
const order = ({ dice, ordered }: ConfigWorld): void => {
  const there = ordered.jobs();
  const some = (most: number) => Array.from({ length: dice.int(1, most) }, () => dice.pick(there));
  const what = dice.next();
  if (there.length < 5 || what < 0.3) {
    const customer = dice.int(0, firstCustomers * 2);
    // Now and then under the id of another customer's job.
    const { id } = dice.chance(0.3) && there.length > 0 ? dice.pick(there) : jobOf(customer);
    const job = jobOf(customer, { id, destination: { kind: "file", path: `/out-${dice.int(1, 3)}` } });
    const before = ordered.newestOf(id)?.job;
    // The store lets nobody have it before that job is removed.
    if (before !== undefined && before.customer !== job.customer) ordered.order(id, undefined);
    ordered.order(id, job);
  } else if (what < 0.55) {
    for (const { id, job } of some(10))
      ordered.order(id, { ...job, destination: { kind: "file", path: "/b" } } as never);
  } else if (what < 0.75) {
    for (const { id, job } of some(dice.chance(0.2) ? 40 : 3)) ordered.order(id, { ...job, enabled: !job.enabled });
  } else {
    for (const { id } of some(dice.chance(0.2) ? 40 : 3))
      if (ordered.newestOf(id)?.job !== undefined) ordered.order(id, undefined);
  }
};

const faults = ["generator.empty", "generator.everything", "generator.drops", "snapshot.corrupt"] as const;

/** Something breaks, or is mended. */
const breakSomething = (world: ConfigWorld): void => {
  const { armed, configs, dice } = world;
  const fault = dice.pick(faults);
  const what = dice.next();
  if (what < 0.5) armed.add(fault);
  else if (what < 0.6) configs.isSilent = true;
  else if (what < 0.7) configs.isDamaging = true;
  else mend(world);
};

const mend = ({ armed, configs }: ConfigWorld): void => {
  armed.clear();
  configs.isSilent = false;
  configs.isDamaging = false;
};

/** A person does what a person can, right or wrong, but accepts only what is not made by a broken generator. */
const command = Effect.fnUntraced(function* (world: ConfigWorld) {
  const { dice } = world;
  const number = dice.int(1, Math.max(1, ...world.configs.manifests.keys()));
  const op = dice.pick([
    { op: "rollback", to: null, accept: null },
    { op: "rollback", to: number, accept: null },
    { op: "freeze" },
    { op: "unfreeze" },
    { op: "unfreeze" },
    { op: "unfreeze" },
    { op: "unfreeze" },
    { op: "halt" },
    { op: "resume" },
    { op: "apply", accept: null },
  ]);
  if (op.op === "rollback") world.counts.rollbacks += 1;
  yield* ask(world, op);
});

const acceptWhatIsPlanned = Effect.fnUntraced(function* (world: ConfigWorld) {
  if (world.armed.size > 0) return;
  const plan = (yield* ask(world, { op: "plan" }))?.["done"] as { verdict: Verdict | null } | undefined;
  const verdict = plan?.verdict;
  if (verdict == null || verdict.passed) return;
  world.counts.refusals += 1;
  if (!verdict.refusals.every(({ acceptable }) => acceptable)) return;
  world.counts.accepted += 1;
  yield* ask(world, { op: "apply", accept: verdict.snapshot });
});

interface Verdict {
  readonly passed: boolean;
  readonly snapshot: string;
  readonly refusals: ReadonlyArray<{ readonly acceptable: boolean; readonly rule: string }>;
}

/** One moment of the story. */
const step = Effect.fnUntraced(function* (world: ConfigWorld, nodes: Map<string, RunningNode>) {
  const { counts, dice } = world;
  yield* TestClock.adjust(dice.int(20, 600));
  if (world.failures.length > 0) throw world.failures[0];
  for (const node of nodes.values()) if (dice.chance(0.7)) node.hear();
  if (dice.chance(0.15)) order(world);
  if (dice.chance(0.08)) breakSomething(world);
  if (dice.chance(0.06)) yield* command(world);
  if (dice.chance(0.05)) yield* acceptWhatIsPlanned(world);
  for (const name of names) {
    const node = nodes.get(name);
    if (node === undefined) {
      if (dice.chance(0.2)) nodes.set(name, yield* inTime(begin(world, new Life(name, true))));
    } else if (dice.chance(0.012)) {
      counts.killed += 1;
      nodes.delete(name);
      yield* inTime(kill(node));
    } else if (dice.chance(node.life.isCutOff ? 0.15 : 0.02)) {
      node.life.isCutOff = !node.life.isCutOff;
    }
  }
});

/** Everything is mended; what is ordered comes into force on every node, whatever was before. */
const settle = Effect.fnUntraced(function* (world: ConfigWorld, nodes: Map<string, RunningNode>) {
  mend(world);
  for (const [name, node] of nodes) {
    yield* inTime(kill(node));
    nodes.delete(name);
  }
  for (const name of names) nodes.set(name, yield* inTime(begin(world, new Life(name, false))));
  const isDone = () => [...nodes.values()].every((node) => isInForce(world.ordered, servedIn(node.served())));
  for (let i = 0; !isDone(); i++) {
    yield* TestClock.adjust(500);
    if (world.failures.length > 0) throw world.failures[0];
    for (const node of nodes.values()) node.hear();
    if (i % 10 === 5) yield* ask(world, { op: "unfreeze" });
    if (i % 10 === 6) yield* ask(world, { op: "resume" });
    if (i % 10 === 8) yield* acceptWhatIsPlanned(world);
    if (i > 600) assert.fail(`what is ordered is not in force: ${yield* stuck(world, nodes)}`);
  }
  for (const [, node] of nodes) yield* inTime(kill(node));
});

const stuck = Effect.fnUntraced(function* (world: ConfigWorld, nodes: ReadonlyMap<string, RunningNode>) {
  const status = yield* ask(world, { op: "status" });
  const plan = yield* ask(world, { op: "plan" });
  const of = [...nodes.values()].map(({ follower, life, served, stored }) => ({
    node: life.name,
    number: served().number,
    jobs: served().byId.size,
    pending: [...stored.pendingPuts(), ...stored.pendingRemovals()].map(({ id, pairKey, revision }) => [
      `${id} of ${pairKey} at ${revision}`,
      `served as ${stored.servedPair(id) ?? "none"} at ${served().byId.get(id)?.revision ?? "none"}`,
    ]),
    refused: follower.refused(),
  }));
  const first = [...nodes.values()][0];
  const differing = world.ordered
    .jobs()
    .concat(
      [...(first?.served().byId.values() ?? [])]
        .filter(({ job }) => world.ordered.newestOf(job.id)?.job === undefined)
        .map(({ job, revision }) => ({ id: job.id, revision, job, data: new Uint8Array() })),
    )
    .filter(
      ({ id, revision }) =>
        world.ordered.newestOf(id)?.job === undefined || first?.served().byId.get(id)?.revision !== revision,
    )
    .map(({ id, revision }) => ({
      id,
      revision,
      orders: world.ordered.orders.flatMap((each) => (each.id === id ? [`${each.revision} ${each.job?.enabled}`] : [])),
    }));
  return JSON.stringify({ differing, of, status, plan }).slice(0, 6_000);
});

export interface ConfigSimulation {
  readonly steps?: number;
  /** Protections that are switched off from the beginning. */
  readonly guardsOff?: ReadonlyArray<GuardName>;
}

const simulate = Effect.fnUntraced(function* (seed: number, { guardsOff = [], steps = 300 }: ConfigSimulation) {
  const world = new ConfigWorld(seed);
  for (const guard of guardsOff) world.guardsOff.add(guard);
  for (let i = 0; i < firstCustomers; i++) world.ordered.order(jobOf(i).id, jobOf(i));
  const nodes = new Map<string, RunningNode>();
  for (const name of names) nodes.set(name, yield* inTime(begin(world, new Life(name, true))));
  for (let i = 0; i < steps; i++) yield* step(world, nodes);
  yield* settle(world, nodes);
  return world.counts;
});

/** The story of a cluster's configuration, told by a seed. Fails when a promise is broken. */
export const simulateConfig = (seed: number, options: ConfigSimulation = {}) =>
  simulate(seed, options).pipe(
    Effect.provide(layerSimulatedClock),
    Random.withSeed(seed),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provideService(Scheduler.MaxOpsBeforeYield, [64, 2_048][seed % 2]!),
  );
