import { assert, describe, it } from "@effect/vitest";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { type RolloutContext, type RolloutEvent, rolloutMachine } from "../../../src/actors/rollout/machine.ts";

const input = {
  steps: [1, 10, 100],
  watchMillis: 30_000,
  adoptMillisMax: 10_000,
  silenceMillisMax: 5_000,
  breachesMax: 2,
  base: { number: 7, hash: "seven" },
};
const target = { number: 8, hash: "eight" };
const restored = { number: 9, hash: "nine" };

type Snapshot = SnapshotFrom<typeof rolloutMachine>;
interface Did {
  readonly type: string;
  readonly params: unknown;
}

/** A rollout, and what it did; driven by events, a millisecond clock of its own. */
class Run {
  snapshot: Snapshot;
  readonly did: Array<Did> = [];
  nowMillis = 1_000_000;

  constructor(over: Partial<typeof input> | { readonly base: null } = {}) {
    this.snapshot = initialTransition(rolloutMachine, { ...input, ...over } as typeof input)[0];
  }

  tell(event: { readonly type: RolloutEvent["type"] } & Record<string, unknown>): this {
    const [next, actions] = transition(rolloutMachine, this.snapshot, {
      nowMillis: this.nowMillis,
      ...event,
    } as unknown as RolloutEvent);
    this.snapshot = next;
    for (const { params, type } of actions) if (!type.startsWith("xstate.")) this.did.push({ type, params });
    return this;
  }

  /** Once a second, with a reading that says all is well, unless told otherwise. */
  wait(seconds: number, breached: string | null = null): this {
    for (let i = 0; i < seconds; i++) this.silence(1).tell({ type: "signals.read", breached });
    return this;
  }

  silence(seconds: number): this {
    for (let i = 0; i < seconds; i++) {
      this.nowMillis += 1_000;
      this.tell({ type: "time.passed" });
    }
    return this;
  }

  /** Stored and read again by the next control process. */
  crash(): this {
    const stored = JSON.parse(JSON.stringify({ value: this.snapshot.value, context: this.snapshot.context })) as {
      readonly value: Snapshot["value"];
      readonly context: RolloutContext;
    };
    this.snapshot = rolloutMachine.resolveState(stored);
    return this.tell({ type: "control.resumed" });
  }

  get state() {
    return this.snapshot.value;
  }

  get context() {
    return this.snapshot.context;
  }

  told(type: string): ReadonlyArray<unknown> {
    return this.did.filter((each) => each.type === type).map(({ params }) => params);
  }
}

const proposed = (over = {}) => new Run(over).tell({ type: "snapshot.proposed", target });
const promoted = () => proposed().tell({ type: "gate.passed", small: false });
const watched = () => promoted().tell({ type: "nodes.adopted" });
const percentages = (run: Run) => run.told("publish").map((stage) => (stage as { readonly percent: number }).percent);

describe("a rollout", () => {
  it("goes step by step, each watched in full, and ends with everybody served", () => {
    const run = watched();
    assert.deepStrictEqual(percentages(run), [1]);
    run.wait(29);
    assert.strictEqual(run.state, "watching");
    run.wait(1);
    assert.deepStrictEqual([run.state, percentages(run)], ["promoting", [1, 10]]);
    run.tell({ type: "nodes.adopted" }).wait(30).tell({ type: "nodes.adopted" });
    assert.deepStrictEqual([run.state, percentages(run)], ["idle", [1, 10, 100]]);
    assert.deepStrictEqual(run.context.base, target);
    assert.strictEqual(run.context.last?.result, "complete");
    assert.isNull(run.context.target);
  });

  it("is for everybody at once when it is small, and when it is the first", () => {
    const small = proposed().tell({ type: "gate.passed", small: true });
    const first = proposed({ base: null }).tell({ type: "gate.passed", small: false });
    for (const run of [small, first]) {
      assert.deepStrictEqual(percentages(run), [100]);
      run.tell({ type: "nodes.adopted" });
      assert.deepStrictEqual([run.state, run.context.base], ["idle", target]);
    }
  });

  it("goes to the named nodes before any share of the customers, and forgets them at its end", () => {
    const named = () =>
      new Run()
        .tell({ type: "snapshot.proposed", target, canaryNodes: ["a", "b"] })
        .tell({ type: "gate.passed", small: false });
    const run = named().tell({ type: "nodes.adopted" });
    assert.deepStrictEqual([run.state, percentages(run)], ["watching", [0]]);
    run.wait(29);
    assert.deepStrictEqual([run.state, run.context.canaryNodes], ["watching", ["a", "b"]]);
    run.crash().wait(30);
    assert.deepStrictEqual([run.state, percentages(run)], ["promoting", [0, 1]]);
    assert.deepStrictEqual(run.context.canaryNodes, ["a", "b"], "they are ahead until all have it");
    for (let i = 0; i < 2; i++) run.tell({ type: "nodes.adopted" }).wait(30);
    assert.deepStrictEqual(percentages(run), [0, 1, 10, 100]);
    run.tell({ type: "nodes.adopted" });
    assert.deepStrictEqual([run.state, run.context.canaryNodes, run.context.steps], ["idle", [], input.steps]);
    // The next one names none.
    run.tell({ type: "snapshot.proposed", target: restored }).tell({ type: "gate.passed", small: false });
    assert.deepStrictEqual(percentages(run), [0, 1, 10, 100, 1]);

    const bad: ReadonlyArray<Run> = [
      named().tell({ type: "node.refused", reason: "a refuses it" }),
      named().silence(10),
      named().tell({ type: "nodes.adopted" }).wait(2, "errors up"),
      named().tell({ type: "nodes.adopted" }).silence(5),
    ];
    for (const each of bad) {
      assert.deepStrictEqual([each.state, each.told("restoreBase")], ["rollingBack", [input.base]]);
      assert.deepStrictEqual(each.context.canaryNodes, ["a", "b"], "who has it must be known until it is back");
      each.tell({ type: "base.restored", base: restored });
      assert.deepStrictEqual([each.state, each.context.canaryNodes, each.context.steps], ["idle", [], input.steps]);
    }
    const refused = new Run()
      .tell({ type: "snapshot.proposed", target, canaryNodes: ["a"] })
      .tell({ type: "gate.refused", reason: "empty" });
    assert.deepStrictEqual([refused.context.canaryNodes, refused.context.steps], [[], input.steps]);
  });

  it("changes nothing when the gate refuses it", () => {
    const run = proposed().tell({ type: "gate.refused", reason: "empty" });
    assert.deepStrictEqual([run.state, run.context.base, percentages(run)], ["idle", input.base, []]);
    assert.deepInclude(run.context.last, { result: "refused", reason: "empty" });
  });

  it("goes back on a breached signal that stays, on a node that refuses it, and on silence", () => {
    const once = watched().wait(3).wait(1, "errors up").wait(20);
    assert.strictEqual(once.state, "watching", "once is chance");
    const cases: ReadonlyArray<readonly [Run, RegExp]> = [
      [watched().wait(3).wait(2, "errors up"), /errors up/],
      [watched().tell({ type: "node.refused", reason: "node b: damaged" }), /node b/],
      [promoted().tell({ type: "node.refused", reason: "node b: damaged" }), /node b/],
      [watched().wait(3).silence(5), /nobody says/],
      [promoted().silence(10), /in time/],
      [watched().tell({ type: "rollout.rollBack", reason: "told so" }), /told so/],
    ];
    for (const [run, reason] of cases) {
      assert.strictEqual(run.state, "rollingBack");
      assert.deepStrictEqual(run.told("restoreBase"), [input.base]);
      run.tell({ type: "base.restored", base: restored });
      assert.deepStrictEqual([run.state, run.context.base], ["idle", restored]);
      assert.strictEqual(run.context.last?.result, "rolledBack");
      assert.match(run.context.last!.reason, reason);
    }
  });

  it("has gone back when every node has, or after the time that they have for it, which it says", () => {
    const returning = () =>
      watched().tell({ type: "rollout.rollBack", reason: "no" }).tell({ type: "base.told", base: restored });
    const back = returning();
    assert.deepStrictEqual([back.state, back.context.base, back.context.last], ["returning", restored, null]);
    back.tell({ type: "nodes.adopted" });
    assert.deepStrictEqual(
      [back.state, back.context.last?.result, back.context.last?.reason],
      ["idle", "rolledBack", "no"],
    );
    const late = returning().silence(9);
    assert.strictEqual(late.state, "returning");
    assert.strictEqual(late.crash().silence(9).state, "returning", "nobody waited while it was away");
    late.silence(1);
    assert.deepStrictEqual([late.state, late.context.last?.result], ["idle", "rolledBack"]);
    assert.strictEqual(late.context.last?.reason, "no; not every node has gone back in time");
  });

  it("goes back to where a person says when there is no way back to where it came from", () => {
    const stuck = watched().tell({ type: "rollout.rollBack", reason: "no" });
    stuck.tell({ type: "rollout.rollBack", reason: "once more" });
    assert.deepStrictEqual([stuck.context.reason, stuck.told("restoreBase")], ["no", [input.base]]);
    const other = { number: 5, hash: "five" };
    stuck.tell({ type: "rollout.rollBack", reason: "to five", base: other });
    assert.deepStrictEqual([stuck.state, stuck.context.reason], ["rollingBack", "to five"]);
    assert.deepStrictEqual(stuck.crash().told("restoreBase"), [input.base, other, other]);
  });

  it("is one at a time: whatever is proposed meanwhile changes nothing", () => {
    const another = { type: "snapshot.proposed", target: { number: 99, hash: "x" } } as const;
    for (const run of [proposed(), promoted(), watched(), watched().wait(2, "bad")]) {
      const before = JSON.stringify([run.state, run.context]);
      const did = run.did.length;
      run.tell(another);
      assert.deepStrictEqual([JSON.stringify([run.state, run.context]), run.did.length], [before, did]);
    }
  });

  it("stops where a person says so, and goes on or back from there", () => {
    const halted = () => watched().tell({ type: "rollout.halt", reason: "wait" });
    const patient = halted().silence(3_600);
    assert.strictEqual(patient.state, "halted", "silence is no reason any more");
    assert.deepStrictEqual(percentages(halted().tell({ type: "rollout.resume" })), [1, 1], "the same step again");
    assert.strictEqual(halted().tell({ type: "rollout.rollBack", reason: "no" }).state, "rollingBack");
  });

  it("goes on after a crash between any two events, and does again what it may have done", () => {
    const story: ReadonlyArray<(run: Run) => Run> = [
      (run) => run.tell({ type: "snapshot.proposed", target }),
      (run) => run.tell({ type: "gate.passed", small: false }),
      (run) => run.tell({ type: "nodes.adopted" }),
      (run) => run.wait(30),
      (run) => run.tell({ type: "nodes.adopted" }),
      (run) => run.wait(30),
      (run) => run.tell({ type: "nodes.adopted" }),
    ];
    for (let at = 0; at <= story.length; at++) {
      const run = new Run();
      for (const [i, step] of story.entries()) {
        if (i === at) run.crash();
        step(run);
      }
      if (at === story.length) run.crash();
      assert.deepStrictEqual([run.state, run.context.base], ["idle", target], `a crash before ${at}`);
      assert.deepStrictEqual([...new Set(percentages(run))], [1, 10, 100], `a crash before ${at}`);
    }
    const judging = proposed();
    assert.lengthOf(judging.told("judge"), 1);
    assert.lengthOf(judging.crash().told("judge"), 2, "nobody knows what the verdict was");
    const back = watched().wait(2, "bad").crash();
    assert.lengthOf(back.told("restoreBase"), 2);
    // Watched from the beginning, for nobody did while it was away.
    const half = watched().wait(29).crash().wait(29);
    assert.strictEqual(half.state, "watching");
    assert.strictEqual(half.wait(1).state, "promoting");
  });

  it("goes on neither sooner nor later when the clock jumps an hour, either way and at any moment", () => {
    for (const jump of [3_600_000, -3_600_000]) {
      const run = watched().wait(5);
      run.nowMillis += jump;
      run.wait(23);
      assert.strictEqual(run.state, "watching");
      assert.strictEqual(run.wait(3).state, "promoting");
      const unadopted = promoted().silence(3);
      unadopted.nowMillis += jump;
      assert.strictEqual(unadopted.silence(5).state, "promoting");
      assert.strictEqual(unadopted.silence(3).state, "rollingBack");
      const silent = watched().wait(3);
      silent.nowMillis += jump;
      assert.strictEqual(silent.silence(3).state, "watching");
      assert.strictEqual(silent.silence(3).state, "rollingBack");
    }
  });

  it("can get anywhere from anywhere: every state is reached, and from every one it comes to an end", () => {
    const nowMillis = 1_000_000;
    const events: ReadonlyArray<RolloutEvent> = [
      { type: "snapshot.proposed", target, nowMillis },
      { type: "gate.passed", small: false, nowMillis },
      { type: "gate.refused", reason: "r", nowMillis },
      { type: "nodes.adopted", nowMillis },
      { type: "node.refused", reason: "r", nowMillis },
      { type: "signals.read", breached: null, nowMillis: nowMillis + 30_000 },
      { type: "time.passed", nowMillis: nowMillis + 60_000 },
      { type: "rollout.halt", reason: "r", nowMillis },
      { type: "rollout.resume", nowMillis },
      { type: "rollout.rollBack", reason: "r", nowMillis },
      { type: "base.restored", base: restored, nowMillis },
      { type: "control.resumed", nowMillis },
      { type: "base.told", base: restored, nowMillis },
    ];
    const paths = getShortestPaths(rolloutMachine, {
      input,
      events,
      serializeState: ({ context, value }) => `${JSON.stringify(value)} ${context.step} ${context.base?.number}`,
      stopWhen: ({ context }) => context.last !== null,
      limit: 10_000,
    });
    const states = new Set(paths.map(({ state }) => state.value as string));
    assert.deepStrictEqual([...states].toSorted(), [
      "gating",
      "halted",
      "idle",
      "promoting",
      "returning",
      "rollingBack",
      "watching",
    ]);
    for (const { state } of paths) {
      if (state.value === "idle") continue;
      let run = state as Snapshot;
      // A person who gives up, and what is in force comes back, everywhere.
      for (const event of [events[9]!, events[12]!, events[3]!]) [run] = transition(rolloutMachine, run, event);
      assert.strictEqual(run.value, "idle");
    }
  });
});
