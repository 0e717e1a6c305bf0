import { assert, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { KillSwitches } from "../../src/actors/ports/kill-switches.ts";
import type { ConfigStatus } from "../../src/domain/config-report.ts";
import { NodeConfiguration } from "../../src/node/served-jobs.ts";
import { tellAlerts } from "../../src/node/tell-alerts.ts";
import { AlertReadings } from "../../src/observability/alert-readings.ts";
import { FakeConfig } from "../api/fake-config.ts";

it.effect(
  "alerts are told of refusals, a rollback, nodes that diverge, a silent control process and kill switches",
  () => {
    const config = new FakeConfig();
    const good = config.statuses[0]!;
    let refused: { readonly rule: string } | undefined;
    let switches: ReadonlyArray<{ readonly id: string }> = [];
    const layer = Layer.mergeAll(
      AlertReadings.layer,
      config.layer,
      Layer.succeed(NodeConfiguration, { follower: { refused: () => refused } } as never),
      Layer.succeed(KillSwitches, { current: () => ({ all: switches }) } as never),
    );
    const say = (status: Partial<ConfigStatus>) => {
      config.statuses = [{ ...good, ...status }];
    };
    return Effect.gen(function* () {
      yield* tellAlerts;
      const { list } = yield* AlertReadings;
      const told = Effect.gen(function* () {
        yield* TestClock.adjust("2 seconds");
        return list()
          .filter(({ value }) => value > 0)
          .map(({ labels, signal, value }) => [signal, Object.values(labels)[0] ?? "", value].join(" ").trim())
          .toSorted();
      });
      assert.deepStrictEqual(yield* told, []);
      const refusal = { rule: "unexplained", message: "", remedy: "", jobs: [], acceptable: false };
      say({ refusal: { refusals: [refusal] } as never });
      assert.deepStrictEqual(yield* told, ["configRefused unexplained 1"]);
      say({ frozen: { who: "spillway", why: "a node refuses it", atMillis: 0 } });
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
      say({});
      refused = { rule: "shrunk" };
      switches = [{ id: "customer.c-17" }];
      assert.deepStrictEqual(yield* told, ["configRefused shrunk 1", "killSwitchOn customer.c-17 1"]);
      refused = undefined;
      switches = [];
      assert.deepStrictEqual(yield* told, []);
      config.down = true;
      yield* TestClock.adjust("118 seconds");
      assert.deepStrictEqual(yield* told, ["snapshotStale  120"]);
      config.down = false;
      assert.deepStrictEqual(yield* told, []);
    }).pipe(Effect.scoped, Effect.provide(layer));
  },
);
