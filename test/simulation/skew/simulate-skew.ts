import { Clock, Effect, Random, References, Scheduler } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import type { PartitionState } from "../../../src/actors/partition/partition-state.ts";
import { accountsOf } from "../../../src/actors/residency/accounts.ts";
import { Life } from "../life.ts";
import { inTime, stuck } from "../simulate-partition.ts";
import { endNode, type SkewNode, startNode } from "./skew-node.ts";
import { assertExplained, assertNothingLost } from "./skew-verdicts.ts";
import { type Mutant, SkewWorld } from "./skew-world.ts";
import { layerSimulatedClock } from "../simulated-clock.ts";

const names = ["one", "two", "three"];

/** Nodes come and go, each by itself; changes come in between. */
const live = Effect.fnUntraced(function* (world: SkewWorld, nodes: Map<string, SkewNode>, steps: number) {
  const { dice, ledger } = world;
  for (let step = 0; step < steps; step++) {
    yield* TestClock.adjust(dice.int(20, 400));
    for (const { owner } of nodes.values()) assertExplained(owner);
    if (world.failures.length > 0) throw world.failures[0];
    if (dice.chance(0.05)) ledger.change(world.nowMillis());
    if (dice.chance(0.03)) ledger.revert();
    for (const node of nodes.values()) {
      if (node.life.isCutOff && dice.chance(0.1)) node.life.isCutOff = false;
      if (!dice.chance(0.012)) continue;
      const how = dice.pick(["killed", "killed", "drained", "cut off"]);
      if (how === "cut off") {
        node.life.isCutOff = true;
        continue;
      }
      if (how === "drained") yield* inTime(node.owner.drain);
      yield* endNode(node);
      nodes.delete(node.life.name);
    }
    for (const name of names) {
      if (nodes.has(name) || !(nodes.size === 0 || dice.chance(0.1))) continue;
      nodes.set(name, yield* inTime(startNode(world, new Life(name, true))));
    }
  }
});

const ownedBy = (nodes: ReadonlyMap<string, SkewNode>): ReadonlyArray<PartitionState> =>
  [...nodes.values()].flatMap(({ owner }) => [...owner.owned().values()].map(({ state }) => state));

const isSettled = (world: SkewWorld, state: PartitionState): boolean => {
  const { entries, number } = world.ledger.newest();
  if (!state.isAdopted || state.jobs.number !== number || state.position < world.log.messages.length) return false;
  return [...accountsOf(state)].every(
    ({ books, job }) => books.pending.records === 0 || entries.get(job)?.state !== "enabled",
  );
};

/**
 * Everybody follows, nothing is sent any more, and nobody dies. All nodes begin anew, and must make do with what is
 * stored; or they live on, for what stands still in memory would go on in the next one.
 */
const settle = Effect.fnUntraced(function* (world: SkewWorld, nodes: Map<string, SkewNode>, beginAnew: boolean) {
  world.isQuiet = true;
  world.isSettling = true;
  for (const node of nodes.values()) {
    if (beginAnew) yield* endNode(node);
    else node.life.recover();
  }
  if (beginAnew) nodes.clear();
  // In one of three runs what is disabled, or rolled back, stays so.
  if (!world.dice.chance(0.33)) world.ledger.settle();
  for (const name of names) {
    if (!nodes.has(name)) nodes.set(name, yield* inTime(startNode(world, new Life(name, false))));
  }
  for (let i = 0; !ownedBy(nodes).some((state) => isSettled(world, state)); i++) {
    yield* TestClock.adjust(500);
    for (const { owner } of nodes.values()) assertExplained(owner);
    if (i > 300)
      assert.fail(`it does not settle: ${JSON.stringify([...nodes.values()].map(({ owner }) => stuck(owner)))}`);
  }
  for (const node of [...nodes.values()].toSorted((a, b) => a.owner.owned().size - b.owner.owned().size)) {
    yield* inTime(node.owner.drain);
    yield* endNode(node);
  }
});

const simulate = Effect.fnUntraced(function* (seed: number, mutant?: Mutant) {
  const world = new SkewWorld(seed, mutant);
  const clock = yield* Clock.Clock;
  world.nowMillis = () => clock.currentTimeMillisUnsafe();
  const nodes = new Map<string, SkewNode>();
  yield* live(world, nodes, world.dice.int(80, 300));
  yield* settle(world, nodes, seed % 2 === 0);
  assertNothingLost(world);
  return {
    acknowledged: world.acknowledged.length,
    deleted: [...world.checkpoints.receipts.values()].filter(({ reason }) => reason === "deleted").length,
    unclaimed: world.unclaimed,
    ...world.ledger.counts,
  };
});

/** A partition whose forwarders and owners act on different snapshots. Fails when an acknowledged record is lost. */
export const simulateSkew = (seed: number, mutant?: Mutant) =>
  simulate(seed, mutant).pipe(
    Effect.provide(layerSimulatedClock),
    Random.withSeed(seed),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provideService(Scheduler.MaxOpsBeforeYield, [8, 64, 2_048, 2_048][seed % 4]!),
  );
