import { assert, describe, it } from "@effect/vitest";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { segmentOf } from "../../../src/domain/segment-of.ts";
import { RolloutSignals } from "../../../src/node/rollout-signals.ts";
import { deliveryPulse } from "../../../src/observability/delivery-pulse.ts";

const report = (node: string, traffic?: ReadonlyArray<readonly [number, number]>) => ({
  node,
  serves: null,
  refused: null,
  signals: null,
  ...(traffic === undefined ? {} : { traffic }),
});

describe("recent traffic", () => {
  it("is the sum of what living nodes told last, and nothing while none has told any", () => {
    const reports = new NodeReports();
    reports.accept(report("one"), 0);
    assert.isUndefined(reports.traffic(0));
    reports.accept(
      report("one", [
        [7, 100],
        [9, 1],
      ]),
      1_000,
    );
    reports.accept(report("two", [[7, 20]]), 1_000);
    // The next reports say nothing of it.
    reports.accept(report("one"), 5_000);
    reports.accept(report("two"), 5_000);
    assert.deepStrictEqual(
      [7, 8, 9].map((segment) => reports.traffic(5_000)![segment]),
      [120, 0, 1],
    );
    reports.accept(report("one"), 9_000);
    assert.deepStrictEqual(
      [7, 9].map((segment) => reports.traffic(10_500)![segment]),
      [100, 1],
      "two is silent",
    );
  });

  it("is what a node delivered, by segment of the customers", () => {
    const signals = new RolloutSignals(() => new Map());
    assert.deepStrictEqual(signals.traffic(0), []);
    signals.tick(0);
    deliveryPulse.note({ customer: "somebody", id: "a" }, true, { records: 3, bytes: 40_000 });
    deliveryPulse.note({ customer: "nobody", id: "b" }, false, { records: 3, bytes: 40_000 });
    assert.deepStrictEqual(signals.traffic(4_000), [[segmentOf("somebody"), 10_000]]);
  });
});
