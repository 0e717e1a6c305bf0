import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit, Metric, Scope } from "effect";
import { TestClock } from "effect/testing";
import { runAlerts } from "../../../src/actors/alert/alerts.ts";
import type { AlertNotifier } from "../../../src/actors/ports/alert-notifier.ts";
import { AlertSignals, type Reading } from "../../../src/actors/ports/alert-signals.ts";
import { alertEvaluations, alertSignalOf, alertsOf } from "../../../src/observability/alert-metrics.ts";
import { aRule, rulesOf } from "./alert-rules.ts";

const start = Effect.fnUntraced(function* (read?: () => ReadonlyArray<Reading>) {
  const world = { list: [] as Array<Reading>, told: [] as Array<string>, reads: 0 };
  const notifier: AlertNotifier = {
    name: "log",
    notify: ({ labels, news }) => Effect.sync(() => void world.told.push(`${news} ${labels["job"]}`)),
  };
  const rules = rulesOf(aRule({ forSeconds: 10, keepSeconds: 4 }));
  const book = yield* runAlerts({ rules, node: "n", alertsPerRuleMax: 3, notifiers: [notifier] }).pipe(
    Effect.provideService(AlertSignals, {
      read: Effect.sync(() => {
        world.reads += 1;
        return { list: read?.() ?? world.list, unlisted: new Map(), absent: () => 0 };
      }),
    }),
  );
  yield* TestClock.adjust(1);
  return { world, book };
});

const bad: Reading = { signal: "jobSuspended", labels: { job: "a" }, value: 4 };

describe("the loop that evaluates all rules", () => {
  it.effect("tells once that an alert fires, reminds, and tells once that it is over", () =>
    Effect.gen(function* () {
      const { world } = yield* start();
      world.list = [bad];
      yield* TestClock.adjust("10 seconds");
      assert.deepStrictEqual(world.told, []);
      yield* TestClock.adjust("2 seconds");
      assert.deepStrictEqual(world.told, ["firing a"]);
      assert.strictEqual((yield* Metric.value(alertSignalOf("jobSuspended"))).value, 4);
      assert.strictEqual((yield* Metric.value(alertsOf("jobSuspended", "firing"))).value, 1);
      yield* TestClock.adjust("60 seconds");
      assert.deepStrictEqual(world.told, ["firing a", "reminder a"]);
      world.list = [];
      yield* TestClock.adjust("10 seconds");
      assert.deepStrictEqual(world.told, ["firing a", "reminder a", "resolved a"]);
      assert.strictEqual((yield* Metric.value(alertSignalOf("jobSuspended"))).value, 0);
      assert.strictEqual((yield* Metric.value(alertsOf("jobSuspended", "firing"))).value, 0);
    }),
  );

  it.effect("goes on after a look that failed, and ends with its scope", () =>
    Effect.gen(function* () {
      const before = (yield* Metric.value(alertEvaluations)).count;
      const scope = yield* Scope.make();
      let broken = true;
      const { world } = yield* start(() => {
        if (broken) throw new Error("a defect");
        return [bad];
      }).pipe(Scope.provide(scope));
      yield* TestClock.adjust("20 seconds");
      assert.strictEqual((yield* Metric.value(alertEvaluations)).count, before);
      broken = false;
      yield* TestClock.adjust("20 seconds");
      assert.deepStrictEqual(world.told, ["firing a"]);
      assert.isAbove((yield* Metric.value(alertEvaluations)).count, before);
      yield* Scope.close(scope, Exit.void);
      const { reads } = world;
      yield* TestClock.adjust("20 seconds");
      assert.strictEqual(world.reads, reads);
    }),
  );
});
