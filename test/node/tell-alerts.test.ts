import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { KillSwitches } from "../../src/actors/ports/kill-switches.ts";
import type { ConfigStatus } from "../../src/domain/config-report.ts";
import { NodeConfiguration } from "../../src/node/served-jobs.ts";
import { tellAlerts } from "../../src/node/tell-alerts.ts";
import { AlertReadings } from "../../src/observability/alert-readings.ts";
import { FakeConfig } from "../api/fake-config.ts";

const start = Effect.fnUntraced(function* () {
  const config = new FakeConfig();
  const good = config.statuses[0]!;
  const world = {
    config,
    good,
    refused: undefined as { readonly rule: string } | undefined,
    switches: [] as ReadonlyArray<{ readonly id: string }>,
    say: (status: Partial<ConfigStatus>) => {
      config.statuses = [{ ...good, ...status }];
    },
  };
  const readings = yield* Layer.build(AlertReadings.layer);
  const { isForgotten, list } = Context.get(readings, AlertReadings);
  yield* tellAlerts("here").pipe(
    Effect.provideContext(readings),
    Effect.provide(
      Layer.mergeAll(
        config.layer,
        Layer.succeed(NodeConfiguration, { follower: { refused: () => world.refused } } as never),
        Layer.succeed(KillSwitches, { current: () => ({ all: world.switches }) } as never),
      ),
    ),
  );
  const told = Effect.gen(function* () {
    yield* TestClock.adjust("2 seconds");
    return list()
      .filter(({ value }) => value > 0)
      .map(({ labels, signal, value }) => [signal, Object.values(labels).join("@"), value].join(" ").trim())
      .toSorted();
  });
  return { world, told, isForgotten };
});

const refusal = { rule: "unexplained", message: "", remedy: "", jobs: [], acceptable: false };
const refusals = { refusal: { refusals: [refusal] } as never };

const rolledBack = {
  result: "rolledBack",
  number: 8,
  hash: "c".repeat(64),
  inForce: 9,
  atMillis: 0,
  reason: "",
  author: "",
  why: "",
  rollbackOf: null,
  verdict: null,
} as const;

describe("the alerts", () => {
  it.effect("are told of refusals, a rollback, nodes that diverge, a silent control process and kill switches", () =>
    Effect.gen(function* () {
      const { told, world } = yield* start();
      const { config, good, say } = world;
      assert.deepStrictEqual(yield* told, []);
      say(refusals);
      assert.deepStrictEqual(yield* told, ["configRefused unexplained 1"]);
      say({ frozen: { who: "spillway", why: "a node refuses it", atMillis: 0 } });
      assert.deepStrictEqual(yield* told, ["rolloutRolledBack  1"]);
      const last = { ...rolledBack, takenBackBy: "person" };
      say({ last, frozen: { who: "person", why: "bad region", atMillis: 0 } });
      assert.deepStrictEqual(yield* told, [], "whoever has taken it back knows");
      say({ last: rolledBack });
      assert.deepStrictEqual(yield* told, ["rolloutRolledBack  1"]);
      const node = { node: "n", refused: null, silentMillis: 0, serves: null };
      say({ nodes: [node, { ...node, silentMillis: 60_000 }, ...good.nodes] });
      assert.deepStrictEqual(yield* told, ["nodesDiverge  1"], "who is gone is of no other mind");
      const canary = { number: 8, hash: "c".repeat(64) };
      const rollout = { ...good.rollout, state: "watching", canary: { ...canary, nodes: ["n"] } };
      say({ rollout, nodes: [{ ...node, serves: canary }, ...good.nodes] });
      assert.deepStrictEqual(yield* told, [], "it is as it was told to be");
      say({ rollout, nodes: [{ ...node, node: "m", serves: canary }] });
      assert.deepStrictEqual(yield* told, ["nodesDiverge  1"]);
      say({ rollout: { ...rollout, state: "halted" } });
      assert.deepStrictEqual(yield* told, ["rolloutHalted  1"]);
      say({});
      world.refused = { rule: "shrunk" };
      world.switches = [{ id: "customer.c-17" }];
      assert.deepStrictEqual(yield* told, ["configRefused shrunk@here 1", "killSwitchOn customer.c-17 1"]);
      world.refused = undefined;
      world.switches = [];
      assert.deepStrictEqual(yield* told, []);
      config.down = true;
      yield* TestClock.adjust("118 seconds");
      assert.deepStrictEqual(yield* told, ["snapshotStale  120"]);
      config.down = false;
      assert.deepStrictEqual(yield* told, []);
    }),
  );

  it.effect("keep the gate's refusal and the node's own apart, each until it is over", () =>
    Effect.gen(function* () {
      const { told, world } = yield* start();
      world.say(refusals);
      world.refused = { rule: "unexplained" };
      assert.deepStrictEqual(yield* told, ["configRefused unexplained 1", "configRefused unexplained@here 1"]);
      world.refused = { rule: "shrunk" };
      assert.deepStrictEqual(yield* told, ["configRefused shrunk@here 1", "configRefused unexplained 1"]);
      world.say({});
      assert.deepStrictEqual(yield* told, ["configRefused shrunk@here 1"]);
      world.say(refusals);
      world.refused = undefined;
      assert.deepStrictEqual(yield* told, ["configRefused unexplained 1"]);
    }),
  );

  it.effect(
    "take a question that failed for no answer: what was said last holds for ten minutes, then nobody knows",
    () =>
      Effect.gen(function* () {
        const { isForgotten, told, world } = yield* start();
        world.say({ ...refusals, rollout: { ...world.good.rollout, state: "halted" } });
        const said = ["configRefused unexplained 1", "rolloutHalted  1"];
        assert.deepStrictEqual(yield* told, said);
        world.config.down = true;
        yield* TestClock.adjust("9 minutes");
        assert.includeMembers([...(yield* told)], said);
        const labels = { rule: "unexplained" };
        assert.isFalse(isForgotten("configRefused", labels));
        yield* TestClock.adjust("1 minute");
        assert.deepStrictEqual(
          (yield* told).filter((each) => !each.startsWith("snapshotStale")),
          [],
        );
        assert.isTrue(isForgotten("configRefused", labels), "not known to be over");
        assert.isTrue(isForgotten("rolloutHalted", {}));
        world.config.down = false;
        assert.deepStrictEqual(yield* told, said);
        assert.isFalse(isForgotten("configRefused", labels));
        world.say({});
        assert.deepStrictEqual(yield* told, []);
        assert.isFalse(isForgotten("configRefused", labels), "over");
      }),
  );
});
