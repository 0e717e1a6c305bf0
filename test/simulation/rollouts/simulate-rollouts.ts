import { Effect, Random, References, Scope } from "effect";
import { TestClock } from "effect/testing";
import { assert } from "vitest";
import { RolloutWorld, type Mutant } from "./rollout-world.ts";
import { RolloutVerdicts } from "./rollout-verdicts.ts";
import { generatorFaults } from "./broken-generator.ts";
import { forgeries, forge } from "./forgeries.ts";
import { passTime } from "./pass-time.ts";
import type { Damage } from "./scripted-snapshots.ts";
import { layerSimulatedClock } from "../simulated-clock.ts";

/** What people and chance do, each with a number that says to whom, or how much. */
export const stepKinds = [
  "add",
  "edit",
  "editMany",
  "disable",
  "enable",
  "remove",
  "removeMany",
  "addMany",
  "redirectInside",
  "repair",
  "accept",
  "rollBack",
  "freeze",
  "unfreeze",
  "halt",
  "resume",
  "breakGenerator",
  "mendGenerator",
  "damage",
  "forge",
  "dieWriting",
  "kill",
  "start",
  "cut",
  "silence",
  "answerNothing",
  "speak",
  "wipe",
  "jump",
  "deliverBadly",
  "deliverWell",
  "slowDisk",
] as const;

export interface Step {
  readonly kind: (typeof stepKinds)[number];
  readonly dice: number;
  /** What passes after it. */
  readonly waitMillis: number;
}

export interface Simulation {
  readonly steps: ReadonlyArray<Step>;
  readonly mutant?: Mutant | undefined;
}

/** Once nothing is broken any more everybody serves what the store has within this time. */
const settleMillisMax = 120_000;

/** A cluster that lives through all this. Dies of the first moment at which a node serves what it must not. */
export const simulateRollouts = (simulation: Simulation) =>
  Effect.scoped(live(simulation)).pipe(
    Effect.provide(layerSimulatedClock),
    Random.withSeed(1),
    Effect.provideService(References.MinimumLogLevel, "None"),
  );

const live = Effect.fnUntraced(function* ({ mutant, steps }: Simulation) {
  yield* TestClock.setTime(Date.UTC(2026, 10, 14, 11));
  const world = new RolloutWorld(mutant);
  const verdicts = new RolloutVerdicts(world);
  const scope = yield* Effect.scope;
  yield* Scope.addFinalizer(
    scope,
    Effect.forEach(world.nodes, ({ kill }) => kill, { discard: true }),
  );
  const pass = passTime(world, () => verdicts.look());
  for (const name of ["ant", "bee", "cow"]) yield* Effect.forkIn(world.addNode(name), scope);
  yield* pass(8_000);
  assert.strictEqual(differencesOf(world, verdicts), "", "the first configuration");
  for (const step of steps) {
    // Whoever answers may have died: nobody waits for it.
    yield* Effect.forkIn(take(world, step), scope);
    yield* pass(step.waitMillis);
  }
  const helped = yield* settle(world, verdicts, pass);
  return { ...verdicts.counts, helped };
});

const differencesOf = ({ nodes }: RolloutWorld, verdicts: RolloutVerdicts): string =>
  nodes
    .map((node) => verdicts.differences(node))
    .filter((difference) => difference !== "")
    .join("; ");

/** @returns how often somebody had to help */
const settle = Effect.fnUntraced(function* (
  world: RolloutWorld,
  verdicts: RolloutVerdicts,
  pass: (millis: number) => Effect.Effect<void>,
) {
  const scope = yield* Effect.scope;
  world.generator.fault = undefined;
  world.isDeliveryBad = false;
  world.jobs.isSilent = false;
  world.jobs.isAnswering = true;
  world.snapshots.isSilent = false;
  world.repair();
  for (const node of world.nodes) {
    node.jumpClock(0);
    node.disk.saveMillis = 0;
    Object.assign(node.user, { isCut: false, damage: "none", dyingAfter: undefined });
    yield* Effect.forkIn(node.start, scope);
  }
  for (let millis = 0; millis < settleMillisMax; millis += 2_000) {
    if (differencesOf(world, verdicts) === "") return millis / 2_000;
    for (const command of [world.command({ op: "resume" }), world.command({ op: "unfreeze" }), world.accept])
      yield* Effect.forkIn(command, scope);
    for (const node of world.nodes) if (node.process === undefined) yield* Effect.forkIn(node.start, scope);
    yield* pass(2_000);
  }
  const status = yield* Effect.forkIn(world.command({ op: "status" }), scope);
  yield* pass(1_500);
  const text = JSON.stringify(status.pollUnsafe());
  return assert.fail(`it has not settled: ${differencesOf(world, verdicts)}; ${text}`);
});

const damages: ReadonlyArray<Damage> = ["blobBit", "manifestCut", "manifestBit", "otherManifest", "nothing", "none"];

const take = (world: RolloutWorld, { dice, kind }: Step): Effect.Effect<unknown, never, Scope.Scope> => {
  const node = world.nodes[dice % world.nodes.length]!;
  const { generator, jobs, snapshots } = world;
  const share = Math.ceil((jobs.jobs().length * (5 + (dice % 60))) / 100);
  const many = (run: () => unknown) => Effect.sync(run);
  switch (kind) {
    case "add":
      return many(() => world.addCustomers(1 + (dice % 2)));
    case "addMany":
      return many(() => world.addCustomers(10));
    case "edit":
      return many(() => world.edit(dice, 1 + (dice % 3)));
    case "editMany":
      return many(() => world.edit(dice, share));
    case "disable":
      return many(() => world.enable(dice, 1 + (dice % 5), false));
    case "enable":
      return many(() => world.enable(0, 1_000, true));
    case "remove":
      return many(() => world.remove(dice, 1 + (dice % 4)));
    case "removeMany":
      return many(() => world.remove(dice, share));
    case "redirectInside":
      return many(() => world.redirectInside(dice));
    case "repair":
      return many(() => world.repair());
    case "accept":
      return world.accept;
    case "rollBack": {
      const told = snapshots.everTold;
      const to = dice % 3 === 0 ? null : (told[dice % told.length]?.number ?? null);
      return world.command({ op: "rollback", to, accept: null });
    }
    case "freeze":
    case "unfreeze":
    case "halt":
    case "resume":
      return world.command({ op: kind });
    case "breakGenerator":
      return many(() => (generator.fault = generatorFaults[dice % generatorFaults.length]));
    case "mendGenerator":
      return many(() => (generator.fault = undefined));
    case "damage":
      return many(() => (node.user.damage = damages[dice % damages.length]!));
    case "forge":
      return many(() => forge(world, forgeries[dice % forgeries.length]!));
    case "dieWriting":
      return many(() => {
        for (const { user } of world.nodes) user.dyingAfter = { writes: 1 + (dice % 12), isStored: dice % 2 === 0 };
      });
    case "kill":
      return node.kill;
    case "start":
      return Effect.forEach(world.nodes, ({ start }) => start, { discard: true });
    case "cut":
      return many(() => (node.user.isCut = !node.user.isCut));
    case "silence":
      return many(() => {
        if (dice % 2 === 0) snapshots.isSilent = true;
        else jobs.isSilent = true;
      });
    case "answerNothing":
      return many(() => (jobs.isAnswering = false));
    case "speak":
      return many(() => {
        jobs.isAnswering = true;
        snapshots.isSilent = false;
        jobs.isSilent = false;
      });
    case "wipe":
      return many(() => snapshots.wipe());
    case "jump":
      return many(() => node.jumpClock(dice % 2 === 0 ? 0 : (dice % 7) * 3_600_000 - 3 * 3_600_000));
    case "deliverBadly":
      return many(() => (world.isDeliveryBad = true));
    case "deliverWell":
      return many(() => (world.isDeliveryBad = false));
    case "slowDisk":
      return many(() => (node.disk.saveMillis = node.disk.saveMillis === 0 ? 700 : 0));
  }
};
