import { assert, describe, it } from "@effect/vitest";
import type { RolloutContext } from "../../../src/actors/rollout/machine.ts";
import { adoptionOf } from "../../../src/control/rollout/adoption.ts";
import { canaryOf, toldTo } from "../../../src/control/rollout/canary.ts";
import type { Desk } from "../../../src/control/rollout/desk.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { numbersBeside, stepNumbers } from "../../../src/control/rollout/step-numbers.ts";
import { stepReading } from "../../../src/control/rollout/step-reading.ts";
import type { NodeSignals } from "../../../src/streams/config-messages.ts";

const base = { number: 7, hash: "base" };
const target = { number: 8, hash: "target" };
const stage = { number: 10, hash: "stage" };

const fine: Omit<NodeSignals, "number"> = {
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
const bad = { ...fine, failures: 100 };

/** At a step of a rollout to the nodes a and b first; everybody's reports are one second old. */
class Step {
  readonly reports = new NodeReports();
  readonly desk: Desk;
  nowMillis = 10_000;

  constructor(step: number, over: Partial<RolloutContext> = {}, value = "watching") {
    const context = { base, target, canaryNodes: ["a", "b"], steps: [0, 10, 100], step, small: false, ...over };
    const published = context.steps[context.step] === 0 ? base : stage;
    const canary = context.steps[context.step] === 100 ? null : target;
    this.desk = { machine: { value, context }, state: { canary, published }, reports: this.reports } as unknown as Desk;
  }

  says(
    node: string,
    serves: { readonly number: number; readonly hash: string },
    signals: Omit<NodeSignals, "number"> | null = fine,
    millisAgo = 1_000,
  ): this {
    const report = { node, serves, refused: null, signals: signals && { ...signals, number: serves.number } };
    this.reports.accept(report, this.nowMillis - millisAgo);
    return this;
  }

  get reading() {
    return stepReading(this.desk, this.nowMillis);
  }

  get adoption() {
    return adoptionOf(this.desk, this.nowMillis);
  }
}

describe("named canary nodes", () => {
  it("have a number above that of each step but the last, and nothing has two", () => {
    const at = (step: number, over: object = {}) =>
      stepNumbers({ target, canaryNodes: ["a"], steps: [0, 1, 10, 100], step, ...over } as never);
    const steps = [1, 2, 3].map((step) => at(step).step);
    const { canary, wayBack } = at(1);
    assert.deepStrictEqual([target.number, ...steps.slice(0, 2), canary, steps[2], wayBack], [8, 10, 11, 12, 13, 14]);
    const plain = { canaryNodes: [], steps: [1, 10, 100] };
    assert.deepStrictEqual(
      [0, 1, 2].map((step) => at(step, plain).step),
      [9, 10, 11],
    );
    assert.strictEqual(at(0, plain).wayBack, 12);
    // Kept free from the beginning, before it is known whether nodes are named.
    assert.isAtLeast(target.number + numbersBeside(plain as never), wayBack);
  });

  it("are told the target from their own step on, until everybody is", () => {
    const told = (step: number, over: Partial<RolloutContext> = {}, value?: string) => {
      const { desk } = new Step(step, over, value);
      return [toldTo(desk, "a")?.hash, toldTo(desk, "c")?.hash];
    };
    assert.deepStrictEqual(told(0), ["target", undefined]);
    assert.deepStrictEqual(told(1), ["target", "stage"]);
    assert.deepStrictEqual(told(2), ["stage", "stage"]);
    assert.deepStrictEqual(told(0, {}, "rollingBack"), ["target", undefined]);
    for (const [over, value] of [
      [{}, "idle"],
      [{ canaryNodes: [] }, "watching"],
      [{ step: 2 }, "promoting"],
    ] as const) {
      assert.isUndefined(canaryOf(new Step(0, over, value).desk));
    }
  });

  it("are waited for, and at their own step nobody else is; one that is gone holds it up", () => {
    const own = new Step(0).says("a", target).says("b", base).says("c", base).says("d", base);
    assert.deepStrictEqual(own.adoption, { nodes: 1, of: 2 });
    assert.deepStrictEqual(own.says("b", target).adoption, { nodes: 2, of: 2 });
    own.nowMillis += 60_000;
    assert.deepStrictEqual(own.says("a", target).adoption, { nodes: 1, of: 2 });
    const later = new Step(1).says("a", target).says("b", target).says("c", base).says("d", stage);
    assert.deepStrictEqual(later.adoption, { nodes: 3, of: 4 });
    const all = new Step(2).says("a", target).says("b", stage).says("c", stage);
    assert.deepStrictEqual(all.adoption, { nodes: 2, of: 3 });
  });

  it("speak for themselves: what goes badly on them is not lost among the others, nor the other way round", () => {
    const own = () => new Step(0).says("a", target).says("c", base, null);
    assert.deepStrictEqual(own().says("b", target).reading, { breached: null });
    const breached = { breached: "on a, b: 50.0 % of the pushes fail, 0.0 % before" };
    assert.deepStrictEqual(own().says("b", target, bad).reading, breached);
    const later = () => new Step(1).says("a", target);
    const many = { ...fine, attempts: 1_000_000, attemptsBefore: 1_000_000 };
    assert.deepStrictEqual(later().says("b", target, bad).says("c", stage, many).reading, breached);
    const others = later().says("b", target, many).says("c", stage, bad).reading;
    assert.deepStrictEqual(others, { breached: "100.0 % of the pushes fail, 0.0 % before" });
  });

  it("are silent when one of them is, whatever it said before, and so are the others", () => {
    assert.isUndefined(new Step(0).says("a", target).reading);
    assert.isUndefined(new Step(0).says("a", target).says("b", target, fine, 3_000).reading);
    assert.isUndefined(new Step(0).says("a", target).says("b", target, null).reading);
    assert.isUndefined(new Step(0).says("a", target).says("b", base).reading, "of another snapshot");
    const named = () => new Step(1).says("a", target).says("b", target);
    assert.isUndefined(named().says("c", base).reading);
    assert.deepStrictEqual(named().says("c", stage).reading, { breached: null });
    assert.deepStrictEqual(named().reading, { breached: null }, "there are no others any more");
  });
});
