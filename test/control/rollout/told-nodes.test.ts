import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { rolloutMachine } from "../../../src/actors/rollout/machine.ts";
import { adoptionOf } from "../../../src/control/rollout/adoption.ts";
import type { ControlOptions } from "../../../src/control/rollout/control-options.ts";
import { type Desk, openDesk } from "../../../src/control/rollout/desk.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { stepReading } from "../../../src/control/rollout/step-reading.ts";
import { countOnNew, dismissLeft, noteTold, silentNodes } from "../../../src/control/rollout/told-nodes.ts";
import { steadyMillis } from "../../../src/domain/steady-clock.ts";
import type { NodeReport, NodeSignals } from "../../../src/streams/config-messages.ts";
import { limits } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";

const base = { number: 7, hash: "base" };
const target = { number: 8, hash: "target" };
const stage = { number: 9, hash: "stage" };

const fine: NodeSignals = {
  number: stage.number,
  deliveredPerSecond: 100,
  deliveredPerSecondBefore: 100,
  attempts: 100,
  failures: 0,
  attemptsBefore: 100,
  failuresBefore: 0,
  backlogBytes: 0,
  backlogBytesBefore: 0,
  buffers: 10,
  buffersBefore: 10,
};
const nothing: NodeSignals = { ...fine, deliveredPerSecond: 0, deliveredPerSecondBefore: 0, attempts: 0, buffers: 0 };

/** A control process at a step of a percentage rollout. */
class Step {
  readonly scripted = new ScriptedConfigStore();
  reports = new NodeReports();
  desk!: Desk;

  readonly open = (over: object = {}, value = "watching") =>
    Effect.gen({ self: this }, function* () {
      const { store } = this.scripted;
      const desk = yield* openDesk({ node: "leader", limits, store } as unknown as ControlOptions, this.reports);
      const context = { ...desk.machine.context, base, target, canaryNodes: [], steps: [10, 100], step: 0, ...over };
      desk.machine = rolloutMachine.resolveState({ value: value as "watching", context });
      desk.state = { ...desk.state, published: stage };
      this.desk = desk;
    });

  /** Another process leads, which has heard nothing yet. */
  readonly openAgain = Effect.gen({ self: this }, function* () {
    this.reports = new NodeReports();
    const { store } = this.scripted;
    this.desk = yield* openDesk({ node: "leader", limits, store } as unknown as ControlOptions, this.reports);
  });

  readonly says = (node: string, role: string, signals: NodeSignals | null, more: Partial<NodeReport> = {}) =>
    Effect.map(steadyMillis, (steady) =>
      this.reports.accept({ node, serves: stage, refused: null, signals, roles: [role], ...more }, steady),
    );

  readonly reading = Effect.map(steadyMillis, (steady) => stepReading(this.desk, steady));
  readonly silent = Effect.map(steadyMillis, (steady) => silentNodes(this.desk, steady));
  readonly adoption = Effect.map(steadyMillis, (steady) => adoptionOf(this.desk, steady));
}

/** Two owners, a forwarder, and a node that only controls; all of them are told of the step. */
const told = Effect.fnUntraced(function* (over: object = {}, value?: string) {
  const step = new Step();
  yield* step.open(over, value);
  for (const owner of ["a", "b"]) yield* step.says(owner, "owner", fine);
  yield* step.says("door", "forwarder", nothing);
  yield* step.says("leader", "control", nothing);
  yield* noteTold(step.desk, { added: 3 });
  return step;
});

describe("nodes that a rollout has told", () => {
  it.effect("all go on saying how it goes, or nobody knows: though the others, and who leads, say all is well", () =>
    Effect.gen(function* () {
      for (const dead of ["a", "door"]) {
        const step = yield* told();
        assert.deepStrictEqual(yield* step.reading, { breached: null });
        yield* TestClock.adjust(3_000);
        for (const owner of ["a", "b"]) if (owner !== dead) yield* step.says(owner, "owner", fine);
        if (dead !== "door") yield* step.says("door", "forwarder", nothing);
        yield* step.says("leader", "control", nothing);
        assert.isUndefined(yield* step.reading);
        assert.deepStrictEqual(yield* step.silent, [dead]);
        // Alive again, it knows nothing of how it was before.
        yield* step.says(dead, dead === "door" ? "forwarder" : "owner", null);
        assert.deepStrictEqual(yield* step.silent, [dead]);
      }
    }),
  );

  it.effect("are not those that only control", () =>
    Effect.gen(function* () {
      const step = yield* told();
      yield* TestClock.adjust(10_000);
      for (const owner of ["a", "b"]) yield* step.says(owner, "owner", fine);
      yield* step.says("door", "forwarder", nothing);
      assert.deepStrictEqual(yield* step.reading, { breached: null });
    }),
  );

  it.effect("are known to the next control process, which has never heard of them", () =>
    Effect.gen(function* () {
      const step = yield* told();
      yield* step.openAgain;
      assert.strictEqual(step.desk.machine.value, "watching");
      yield* step.says("leader", "control", nothing);
      yield* step.says("a", "owner", fine);
      assert.deepStrictEqual(yield* step.silent, ["b", "door"]);
      assert.isUndefined(yield* step.reading);
      assert.strictEqual(step.desk.state.told?.added, 3);
    }),
  );

  it.effect("may leave in order, also for the next process; but without an owner nobody knows how it goes", () =>
    Effect.gen(function* () {
      const step = yield* told();
      yield* step.says("a", "owner", fine, { leaving: true });
      yield* dismissLeft(step.desk);
      // What it delivered, the other one delivers now.
      yield* step.says("b", "owner", { ...fine, deliveredPerSecond: 90, buffers: 150 });
      assert.deepStrictEqual(yield* step.reading, { breached: "90 records/s are delivered, 200 before" });
      yield* step.says("b", "owner", { ...fine, deliveredPerSecond: 200, buffers: 130 });
      assert.deepStrictEqual(yield* step.reading, { breached: null });
      yield* step.openAgain;
      assert.deepStrictEqual(step.desk.state.told?.nodes, ["b", "door"]);

      const all = yield* told();
      for (const owner of ["a", "b"]) yield* all.says(owner, "owner", fine, { leaving: true });
      yield* dismissLeft(all.desk);
      assert.deepStrictEqual(yield* all.silent, []);
      assert.isUndefined(yield* all.reading);
    }),
  );

  it.effect("are joined by those who come while the step is taken on, and not by the dead of before", () =>
    Effect.gen(function* () {
      const step = new Step();
      yield* step.open();
      yield* step.says("a", "owner", fine);
      yield* TestClock.adjust(3_000);
      yield* step.says("b", "owner", fine);
      yield* noteTold(step.desk, {});
      assert.deepStrictEqual(step.desk.state.told?.nodes, ["b"]);
      yield* step.says("c", "owner", fine);
      yield* step.says("d", "owner", null);
      countOnNew(step.desk, yield* steadyMillis);
      assert.deepStrictEqual(step.desk.state.told?.nodes, ["b", "c"]);
      // The next rollout counts on nobody yet.
      step.desk.machine = rolloutMachine.resolveState({
        value: "watching",
        context: { ...step.desk.machine.context, target: { number: 20, hash: "next" } },
      });
      yield* TestClock.adjust(60_000);
      assert.deepStrictEqual(yield* step.silent, []);
    }),
  );

  it.effect("are waited for until they serve it, at the last step as well", () =>
    Effect.gen(function* () {
      for (const at of [0, 1]) {
        const step = yield* told({ step: at }, "promoting");
        assert.deepStrictEqual(yield* step.adoption, { nodes: 4, of: 4 });
        yield* TestClock.adjust(20_000);
        yield* step.says("leader", "control", nothing);
        assert.deepStrictEqual(yield* step.adoption, { nodes: 1, of: 4 });
      }
    }),
  );

  it.effect("may die, half of them, when a small change goes to everybody", () =>
    Effect.gen(function* () {
      const step = yield* told({ small: true, step: 1 }, "promoting");
      yield* TestClock.adjust(20_000);
      yield* step.says("leader", "control", nothing);
      assert.deepStrictEqual(yield* step.adoption, { nodes: 1, of: 4 }, "all three are gone");
      yield* step.says("a", "owner", null);
      assert.deepStrictEqual(yield* step.adoption, { nodes: 2, of: 4 }, "two of three");
      yield* step.says("door", "forwarder", null);
      assert.deepStrictEqual(yield* step.adoption, { nodes: 3, of: 3 });
    }),
  );
});
