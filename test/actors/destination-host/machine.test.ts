import { assert, describe, it } from "@effect/vitest";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { type CircuitEvent, circuitMachine } from "../../../src/actors/destination-host/machine.ts";
import { type CircuitEventName, circuitEventNames, type CircuitResting, circuitTable } from "./circuit-table.ts";

type Machine = typeof circuitMachine;
type Snapshot = SnapshotFrom<Machine>;

const input = { failuresMax: 3, openMillisFirst: 100, openMillisMax: 1_000 };
const nowMillis = 1_732_000_000_000;

/** Times are relative to the snapshot: the clock of a walk never runs backwards. */
const eventOf = (name: CircuitEventName, { context }: Snapshot): CircuitEvent => {
  const later = Math.max(nowMillis, context.openUntilMillis);
  switch (name) {
    case "host.failed":
    case "probe.failed":
      return { type: name, nowMillis: later, jitter: 0.5 };
    case "time.passed":
      return { type: "time.passed", nowMillis: later };
    case "time.passed, too early":
      return { type: "time.passed", nowMillis: context.openUntilMillis - 1 };
    default:
      return { type: name };
  }
};

const resting = ({ value }: Snapshot): CircuitResting =>
  typeof value === "string" ? value : (value.halfOpen as CircuitResting);

const next = (snapshot: Snapshot, name: CircuitEventName, machine: Machine = circuitMachine): Snapshot =>
  transition(machine, snapshot, eventOf(name, snapshot))[0];

const after = (...names: ReadonlyArray<CircuitEventName>): Snapshot =>
  names.reduce((snapshot, name) => next(snapshot, name), initialTransition(circuitMachine, input)[0]);

const failed = ["host.failed", "host.failed", "host.failed"] as const;
const at: Record<CircuitResting, Snapshot> = {
  closed: after("host.failed", "host.failed"),
  open: after(...failed),
  ready: after(...failed, "time.passed"),
  probing: after(...failed, "time.passed", "probe.began"),
};

const walk = (machine: Machine) =>
  getShortestPaths(machine, {
    input,
    events: (snapshot: Snapshot) => circuitEventNames.map((name) => eventOf(name, snapshot)),
    limit: 5_000,
    // Openings are counted without end; the shape of the behaviour repeats.
    stopWhen: ({ context }: Snapshot) => context.opened > 5,
  });

/** What holds wherever a circuit is; answers the broken ones. */
const broken = (snapshot: Snapshot): ReadonlyArray<string> => {
  const { failures, failuresMax, openMillisMax, openUntilMillis, opened } = snapshot.context;
  const state = resting(snapshot);
  const holds: Record<string, boolean> = {
    "C1 it closes before so many failures in a row, and never counts more": failures >= 0 && failures < failuresMax,
    "C2 failures are counted while closed only": state === "closed" || failures === 0,
    "C3 a closed circuit has forgotten its openings": (state === "closed") === (opened === 0),
    "C4 an open one has an end, and only an open one": (state === "open") === openUntilMillis > 0,
    "C5 no longer than the longest": openUntilMillis <= nowMillis + (opened + 1) * openMillisMax,
  };
  return Object.entries(holds).flatMap(([name, isHeld]) => (isHeld ? [] : [name]));
};

const brokenIn = (machine: Machine): ReadonlyArray<string> => [
  ...new Set(walk(machine).flatMap(({ state, steps }) => [...steps.map((step) => step.state), state].flatMap(broken))),
];

/** The table as the machine answers it. */
const tableOf = (machine: Machine) =>
  Object.fromEntries(
    Object.entries(at).map(([state, snapshot]) => [
      state,
      Object.fromEntries(
        circuitEventNames.map((name) => [name, resting(next(machine.resolveState(snapshot), name, machine))]),
      ),
    ]),
  );

describe("circuit machine", () => {
  it("goes where the table says, from every state with every event", () => {
    assert.deepStrictEqual(tableOf(circuitMachine), circuitTable);
  });

  it("reaches every state, and its invariants hold on every path", () => {
    const reached = new Set(walk(circuitMachine).map(({ state }) => resting(state)));
    assert.sameMembers([...reached], ["closed", "open", "ready", "probing"]);
    assert.deepStrictEqual(brokenIn(circuitMachine), []);
  });

  it("counts failures in a row: an answer in between forgives", () => {
    const forgiven = after("host.failed", "host.failed", "host.answered", "host.failed", "host.failed");
    assert.strictEqual(resting(forgiven), "closed");
    assert.strictEqual(resting(next(forgiven, "host.failed")), "open");
  });

  it("stays open twice as long each time, up to the longest, and starts anew once it was closed", () => {
    const again = ["time.passed", "probe.began", "probe.failed"] as const;
    const lengths: Array<number> = [];
    let snapshot = at.open;
    let began = nowMillis;
    for (let turn = 0; turn < 6; turn++) {
      const until = snapshot.context.openUntilMillis;
      lengths.push(until - began);
      began = until;
      const probing = next(next(snapshot, "time.passed"), "probe.began");
      snapshot = transition(circuitMachine, probing, { type: "probe.failed", nowMillis: until, jitter: 0.5 })[0];
    }
    assert.deepStrictEqual(lengths, [75, 150, 300, 600, 750, 750]);
    const healed = [...again.slice(0, 2), "probe.answered" as const, ...failed].reduce((s, n) => next(s, n), snapshot);
    assert.strictEqual(healed.context.openUntilMillis - nowMillis, 75);
  });

  it("is indifferent to a persist and restore between any two events", () => {
    for (const { state } of walk(circuitMachine)) {
      const restored = circuitMachine.resolveState({
        value: state.value,
        context: JSON.parse(JSON.stringify(state.context)),
      });
      for (const name of circuitEventNames) {
        assert.deepStrictEqual(next(restored, name).value, next(state, name).value);
        assert.deepStrictEqual(next(restored, name).context, next(state, name).context);
      }
    }
  });

  it("would not pass as one that does not forgive, opens a moment late, or probes without waiting", () => {
    const unforgiving = circuitMachine.provide({ actions: { forgive: () => {}, heal: () => {} } });
    assert.isNotEmpty(brokenIn(unforgiving));
    const late = circuitMachine.provide({
      guards: { isEnough: ({ context }) => context.failures >= input.failuresMax },
    });
    assert.isNotEmpty(brokenIn(late));
    assert.notDeepEqual(tableOf(late), circuitTable);
    const hasty = circuitMachine.provide({ guards: { isTime: () => true } });
    assert.notDeepEqual(tableOf(hasty), circuitTable);
  });
});
