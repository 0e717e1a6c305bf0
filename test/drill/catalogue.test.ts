import { assert, describe, it } from "@effect/vitest";
import { readFileSync } from "node:fs";
import { contradictions, type Limits } from "../../src/domain/limits.ts";
import { drillNamed, drills } from "../../src/drill/catalogue.ts";
import { peeledSeriesOf, seriesOf } from "../../src/drill/guard-series.ts";

const { limits: shipped } = JSON.parse(readFileSync("config/default.json", "utf8")) as { readonly limits: Limits };

describe("every drill", () => {
  it("has a name of its own, by which it is found", () => {
    const names = drills.map(({ name }) => name);
    assert.strictEqual(new Set(names).size, names.length);
    for (const drill of drills) {
      assert.match(drill.name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.strictEqual(drillNamed(drill.name), drill);
    }
    assert.isUndefined(drillNamed("no-such-drill"));
  });

  for (const drill of drills) {
    describe(drill.name, () => {
      it("goes from a baseline over a fault to a recovery, within a minute", () => {
        const kinds = drill.phases.map(({ kind }) => kind);
        assert.strictEqual(kinds[0], "baseline");
        assert.strictEqual(kinds.at(-1), "recovery");
        assert.include(kinds, "fault");
        assert.strictEqual(new Set(drill.phases.map(({ name }) => name)).size, drill.phases.length);
        const seconds = drill.phases.reduce((sum, phase) => sum + phase.seconds, 0);
        // What is left is for the start and for what is on its way at the end.
        assert.isAtMost(seconds, 35);
      });

      it("has a world that can start, and one node that takes records", () => {
        for (const customers of [2, 20, 10_000]) {
          assert.deepStrictEqual(contradictions({ ...shipped, ...drill.plan(customers).limits }), []);
        }
        for (const role of ["forwarder", "owner", "control"] as const) {
          assert.isTrue(
            drill.plan(20).nodes.some((roles) => roles.includes(role)),
            role,
          );
        }
      });

      it("has bars that can be missed, the books among them, and exercises limits that exist", () => {
        const figures = drill.bars.map(({ figure }) => figure);
        assert.includeMembers([...figures], ["unexplained", "acknowledgedLost", "recoverSeconds"]);
        for (const { limit } of drill.exercises) assert.property(shipped, limit);
      });

      it("does not take a run in which nothing happened for an exercise of anything", () => {
        const limits = Object.entries(shipped).map(([name, value]) => ({ name, value, unit: "", usage: 0 }));
        const nothing = { samples: [], limits, figures: {} as never };
        assert.deepStrictEqual(
          drill.exercises.filter(({ isReached }) => isReached(nothing)).map(({ limit }) => limit),
          [],
        );
      });
    });
  }
});

describe("a series of runs", () => {
  it("is with all guards, without each of them, and without any", () => {
    const drill = drills[0]!;
    const guard = (name: "admission" | "bufferLimit") => ({ name, stops: "" });
    assert.deepStrictEqual(seriesOf({ ...drill, guards: [guard("admission"), guard("bufferLimit")] }), [
      [],
      ["admission"],
      ["bufferLimit"],
      ["admission", "bufferLimit"],
    ]);
    assert.deepStrictEqual(seriesOf({ ...drill, guards: [guard("admission")] }), [[], ["admission"]]);
    assert.deepStrictEqual(seriesOf({ ...drill, guards: [] }), [[]]);
  });

  it("is, peeled, with one guard less each time", () => {
    const guards = (["controlGate", "rollout", "servingGate"] as const).map((name) => ({ name, stops: "" }));
    assert.deepStrictEqual(peeledSeriesOf({ ...drills[0]!, guards }), [
      [],
      ["controlGate"],
      ["controlGate", "rollout"],
      ["controlGate", "rollout", "servingGate"],
    ]);
    assert.deepStrictEqual(peeledSeriesOf({ ...drills[0]!, guards: [] }), [[]]);
  });
});
