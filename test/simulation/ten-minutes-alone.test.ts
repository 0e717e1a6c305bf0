import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Logger } from "effect";
import { TestClock } from "effect/testing";
import { runAlerts } from "../../src/actors/alert/alerts.ts";
import { Owner } from "../../src/actors/owner.ts";
import { AlertSignals } from "../../src/actors/ports/alert-signals.ts";
import { emptyJobSet, Jobs } from "../../src/actors/ports/jobs.ts";
import { NodeAdmission } from "../../src/actors/ports/node-admission.ts";
import { ConfigControl } from "../../src/api/config-port.ts";
import { loadAlertRules } from "../../src/control/alert-rules.ts";
import { alertLog } from "../../src/node/alert-log.ts";
import { makeAlertSignals } from "../../src/node/alert-signals.ts";
import { makeConfigControl } from "../../src/node/config-control.ts";
import { NodeConfiguration } from "../../src/node/served-jobs.ts";
import { tellAlerts } from "../../src/node/tell-alerts.ts";
import { AlertReadings } from "../../src/observability/alert-readings.ts";
import { LossesBefore } from "../../src/observability/losses.ts";
import { Nats } from "../../src/streams/nats.ts";
import type { ClusterNode } from "./rollouts/cluster-node.ts";
import { RolloutWorld } from "./rollouts/rollout-world.ts";
import { layerSimulatedClock } from "./simulated-clock.ts";

const lookSeconds = 5;
const minutes = 10;

/** The shipped rules; and the one for a silent control plane once more, with a time that it has to last. */
const rulesOfTest = Effect.map(loadAlertRules(), (shipped) => {
  const stale = shipped.rules.find(({ id }) => id === "snapshotStale")!;
  const [first, ...others] = shipped.rules;
  return { ...shipped, rules: [first, ...others, { ...stale, id: "staleForLong", forSeconds: 60 }] as const };
});

/** The alerts of a node, from what its own follower and whoever leads say. */
const watchFor = Effect.fnUntraced(function* ({ name, process }: ClusterNode, world: RolloutWorld) {
  const rules = yield* rulesOfTest;
  const nats = world.bus.natsOf({ isDead: false, isCut: false });
  const readings = yield* Layer.build(AlertReadings.layer);
  const control = yield* Effect.provideService(makeConfigControl, Nats, nats);
  const signals = yield* makeAlertSignals({ rules: rules.rules, limits: world.limits, uses: {} }).pipe(
    Effect.provideService(Owner, { owned: () => new Map() } as never),
    Effect.provideService(NodeAdmission, { state: () => "open" } as never),
    Effect.provideService(Jobs, { served: () => emptyJobSet } as never),
    Effect.provide(LossesBefore.layer),
    Effect.provideContext(readings),
  );
  yield* tellAlerts(name).pipe(
    Effect.provideService(ConfigControl, control),
    Effect.provideService(NodeConfiguration, process!.configuration),
    Effect.provideContext(readings),
  );
  return yield* runAlerts({ ...world.limits, rules, node: name, notifiers: [alertLog] }).pipe(
    Effect.provideService(AlertSignals, signals),
  );
});

/** Two nodes that serve what was ordered. */
const begin = Effect.gen(function* () {
  yield* TestClock.setTime(Date.UTC(2026, 10, 14, 11));
  const world = new RolloutWorld(undefined);
  for (const name of ["ant", "bee"]) yield* Effect.forkChild(world.addNode(name));
  yield* TestClock.adjust("5 seconds");
  world.edit(3, 2);
  world.enable(9, 1, false);
  yield* TestClock.adjust("15 seconds");
  const [ant, bee] = world.nodes as [ClusterNode, ClusterNode];
  yield* Effect.addFinalizer(() => Effect.andThen(ant.kill, bee.kill));
  return { world, ant, bee };
});

const setOf = ({ process }: ClusterNode) => process!.jobs.served();

/** Every job's settings, as this node acts on them. */
const settingsOf = (node: ClusterNode) =>
  new Map([...setOf(node).byId].map(([id, { job, revision }]) => [id, { job, revision }]));

const orderedIn = ({ jobs }: RolloutWorld) =>
  new Map([...jobs.newest.values()].map(({ id, job, revision }) => [id, { job, revision }]));

const silence = ({ jobs, nodes, snapshots }: RolloutWorld, how: "errors" | "nothing" | "speaks"): void => {
  jobs.isSilent = how !== "speaks";
  snapshots.isSilent = how === "errors";
  for (const { user } of nodes) user.damage = how === "nothing" ? "nothing" : "none";
};

/** The alert's states, in the order in which it had them, and the seconds at which they began. */
type Story = Array<readonly [state: string, second: number]>;

describe("ten minutes without control process and KV", () => {
  for (const how of ["errors", "nothing"] as const) {
    it.effect(`change nothing of what is served, and are told of: the store answers with ${how}`, () => {
      const lines: Array<string> = [];
      const log = Logger.layer([Logger.make(({ message }) => void lines.push(JSON.stringify(message)))]);
      return Effect.gen(function* () {
        const { ant, bee, world } = yield* begin;
        const ordered = orderedIn(world);
        assert.deepStrictEqual(settingsOf(ant), ordered);
        const book = yield* watchFor(ant, world);
        const stories = new Map<string, Story>();
        const look = (second: number) => {
          for (const { rule, state } of book.alerts()) {
            const story = stories.get(rule.id) ?? [];
            stories.set(rule.id, story);
            if (story.at(-1)?.[0] !== state) story.push([state, second]);
          }
        };
        yield* TestClock.adjust("10 seconds");
        const set = setOf(ant);
        const before = lines.length;
        silence(world, how);
        // No control process either: nobody can store that it leads.
        for (const { user } of world.nodes) user.isMute = true;

        for (let second = 0; second < minutes * 60; second += lookSeconds) {
          if (second === 300) {
            yield* bee.kill;
            yield* Effect.forkChild(bee.start);
          }
          yield* TestClock.adjust(`${lookSeconds} seconds`);
          look(second + lookSeconds);
          assert.strictEqual(setOf(ant), set, `another set after ${second} s`);
          assert.isDefined(bee.process, `the node that was restarted does not run after ${second} s`);
          if (second % 60 === 0) assert.deepStrictEqual(settingsOf(bee), ordered, `bee after ${second} s`);
        }
        assert.deepStrictEqual(settingsOf(ant), ordered);
        assert.strictEqual(bee.runs, 2);
        assert.isBelow(lines.length - before, 40, lines.slice(before).join("\n"));

        for (const { user } of world.nodes) user.isMute = false;
        silence(world, "speaks");
        world.edit(20, 2);
        yield* TestClock.adjust("30 seconds");
        look(minutes * 60 + 30);
        assert.deepStrictEqual(settingsOf(ant), orderedIn(world));
        assert.deepStrictEqual(settingsOf(bee), orderedIn(world));
        assert.deepStrictEqual(
          stories.get("snapshotStale")?.map(([state]) => state),
          ["firing", "resolved"],
        );
        assert.closeTo(stories.get("snapshotStale")![0]![1], 120, 10);
        assert.deepStrictEqual(
          stories.get("staleForLong")?.map(([state]) => state),
          ["pending", "firing", "resolved"],
        );
        assert.closeTo(stories.get("staleForLong")![1]![1], 180, 10);
      }).pipe(
        Effect.scoped,
        Effect.provide(log),
        // However slow this machine is, time stands still for whoever has something to do.
        Effect.provide(layerSimulatedClock),
      );
    });
  }
});
