import { assert, describe, it } from "@effect/vitest";
import { readFileSync } from "node:fs";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import {
  type AlertContext,
  type AlertEvent,
  type AlertInput,
  alertMachine,
} from "../../../src/actors/alert/machine.ts";

const input: AlertInput = {
  forMillis: 10_000,
  keepMillis: 6_000,
  repeatMillis: 60_000,
  rememberMillis: 30_000,
  stepMillisMax: 4_000,
};

type Snapshot = SnapshotFrom<typeof alertMachine>;

/** An alert that is evaluated every two seconds, and what people were told of it. */
class Watched {
  snapshot: Snapshot;
  readonly told: Array<string> = [];
  nowMillis = 1_000_000;

  constructor(over: Partial<AlertInput> = {}) {
    this.snapshot = initialTransition(alertMachine, { ...input, ...over })[0];
  }

  tell(type: AlertEvent["type"], seconds = 2, value = 1): this {
    for (let i = 0; i < seconds; i += 2) {
      this.nowMillis += 2_000;
      const event: AlertEvent =
        type === "condition.met" ? { type, value, nowMillis: this.nowMillis } : { type, nowMillis: this.nowMillis };
      const [next, actions] = transition(alertMachine, this.snapshot, event);
      this.snapshot = next;
      for (const { params, type: action } of actions) {
        if (action === "tell") this.told.push((params as unknown as { readonly news: string }).news);
      }
    }
    return this;
  }

  met(seconds = 2, value = 1): this {
    return this.tell("condition.met", seconds, value);
  }

  unmet(seconds = 2): this {
    return this.tell("condition.unmet", seconds);
  }

  unknown(seconds = 2): this {
    return this.tell("condition.unknown", seconds);
  }

  /** Stored and read again. */
  stored(): this {
    const { context, value } = JSON.parse(
      JSON.stringify({ value: this.snapshot.value, context: this.snapshot.context }),
    ) as { readonly value: Snapshot["value"]; readonly context: AlertContext };
    this.snapshot = alertMachine.resolveState({ value, context });
    return this;
  }

  get state() {
    return this.snapshot.value;
  }
}

describe("an alert", () => {
  it("fires when its condition has been met for long enough, is told of once, and once more when it is over", () => {
    const run = new Watched().met();
    assert.deepStrictEqual([run.state, run.told], ["pending", []]);
    run.met(8);
    assert.deepStrictEqual([run.state, run.told], ["pending", []]);
    run.met(2, 7);
    assert.deepStrictEqual([run.state, run.told], ["firing", ["firing"]]);
    assert.strictEqual(run.snapshot.context.value, 7);
    run.met(20, 9).unmet(4);
    assert.deepStrictEqual([run.state, run.told], ["firing", ["firing"]]);
    run.unmet(2);
    assert.deepStrictEqual([run.state, run.told], ["resolved", ["firing", "resolved"]]);
    assert.strictEqual(run.snapshot.context.value, 9, "what was wrong with it");
    run.unmet(28);
    assert.strictEqual(run.state, "resolved");
    run.unmet(2);
    assert.deepStrictEqual([run.state, run.told], ["inactive", ["firing", "resolved"]]);
  });

  it("fires and is resolved at once when it need not wait", () => {
    const run = new Watched({ forMillis: 0, keepMillis: 0 }).met().unmet().met();
    assert.deepStrictEqual([run.state, run.told], ["firing", ["firing", "resolved", "firing"]]);
  });

  it("begins anew after a break before it fired, and is one alert however it comes and goes afterwards", () => {
    const broken = new Watched().met(8).unmet().met(10);
    assert.deepStrictEqual([broken.state, broken.told], ["pending", []]);
    const flapping = new Watched().met(12);
    for (let i = 0; i < 9; i++) flapping.unmet(4).met();
    assert.deepStrictEqual([flapping.state, flapping.told], ["firing", ["firing"]]);
  });

  it("is told of again after a while, and not more often", () => {
    const run = new Watched().met(12).met(58);
    assert.deepStrictEqual(run.told, ["firing"]);
    run.met(2);
    assert.deepStrictEqual(run.told, ["firing", "reminder"]);
    run.met(118);
    assert.deepStrictEqual(run.told, ["firing", "reminder", "reminder"]);
  });

  it("stays what it is while nobody knows", () => {
    for (const run of [new Watched().met(8), new Watched().met(14), new Watched().met(14).unmet(6)]) {
      const before = [run.state, run.told.length];
      run.unknown(3_600);
      assert.deepStrictEqual([run.state, run.told.length], before);
    }
    assert.strictEqual(new Watched().met(8).unknown(100).met(2).state, "pending");
  });

  it("goes neither sooner nor later by more than a step when the clock jumps an hour, either way", () => {
    for (const jump of [3_600_000, -3_600_000]) {
      const pending = new Watched().met(4);
      pending.nowMillis += jump;
      assert.strictEqual(pending.met(4).state, "pending");
      assert.strictEqual(pending.met(6).state, "firing");
      pending.met(4);
      pending.nowMillis += jump;
      assert.deepStrictEqual(pending.met(2).told, ["firing"], "no reminder for a jump");
      pending.nowMillis += jump;
      assert.strictEqual(pending.unmet(2).state, "firing");
      assert.strictEqual(pending.unmet(6).state, "resolved");
      pending.nowMillis += jump;
      assert.strictEqual(pending.unmet(20).state, "resolved");
      assert.strictEqual(pending.unmet(12).state, "inactive");
    }
  });

  it("is JSON: stored and read again after any event it does the same", () => {
    const story: ReadonlyArray<(run: Watched) => Watched> = [
      (run) => run.met(6),
      (run) => run.met(6),
      (run) => run.met(70),
      (run) => run.unmet(2),
      (run) => run.unmet(6),
      (run) => run.met(4),
    ];
    const expected = story.reduce((run, step) => step(run), new Watched());
    for (let at = 0; at < story.length; at++) {
      const run = new Watched();
      for (const [i, step] of story.entries()) step(i === at ? run.stored() : run);
      assert.deepStrictEqual(
        [run.state, run.told, run.snapshot.context],
        [expected.state, expected.told, expected.snapshot.context],
      );
    }
  });

  it("reaches every state, and comes from every one to inactive, telling of an end only what it told the begin of", () => {
    const events: ReadonlyArray<AlertEvent> = [
      { type: "condition.met", value: 1, nowMillis: 2_000 },
      { type: "condition.met", value: 1, nowMillis: 60_000 },
      { type: "condition.unmet", nowMillis: 120_000 },
      { type: "condition.unknown", nowMillis: 180_000 },
    ];
    const paths = getShortestPaths(alertMachine, {
      input: { ...input, stepMillisMax: 60_000 },
      events,
      serializeState: ({ value }) => JSON.stringify(value),
      limit: 1_000,
    });
    const states = paths.map(({ state }) => state.value as string);
    assert.sameMembers([...new Set(states)], ["inactive", "pending", "firing", "resolved"]);
    for (const { state } of paths) {
      const run = new Watched();
      run.snapshot = state as Snapshot;
      const wasFiring = state.value === "firing";
      run.unmet(200);
      assert.deepStrictEqual([run.state, run.told], ["inactive", wasFiring ? ["resolved"] : []]);
    }
  });
});

describe("SPEC.md", () => {
  const spec = readFileSync("docs/SPEC.md", "utf8");
  const names = (heading: string): ReadonlyArray<string> => {
    const section = spec.slice(spec.indexOf(`\n### ${heading}\n`) + 1).split(/\n#+ /)[0]!;
    return [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name!);
  };

  it("lists the states and events of an alert", () => {
    assert.sameMembers([...names("States of an alert")], Object.keys(alertMachine.states));
    assert.sameMembers([...names("Events of an alert")], alertMachine.events);
  });
});
