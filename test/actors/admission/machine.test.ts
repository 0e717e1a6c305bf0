import { assert, describe, it } from "@effect/vitest";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import {
  admissionMachine,
  type AdmissionEvent,
  type AdmissionInput,
  levelOf,
  readingNames,
  type Shares,
} from "../../../src/actors/admission/machine.ts";
import { admissionStates, type AdmissionState } from "../../../src/actors/ports/node-admission.ts";

const input: AdmissionInput = {
  guardedPercent: 70,
  surgingPercent: 85,
  closedPercent: 95,
  easedPercent: 10,
  dwellMillisMin: 2_000,
};

type Snapshot = SnapshotFrom<typeof admissionMachine>;

const calm: Shares = { residents: 0, newcomers: 0, memory: 0, eventLoop: 0, partitionFill: 0 };
const reading = (memory: number, nowMillis: number): AdmissionEvent => ({
  type: "reading",
  shares: { ...calm, memory },
  nowMillis,
});

const next = (snapshot: Snapshot, event: AdmissionEvent, machine = admissionMachine): Snapshot =>
  transition(machine, snapshot, event)[0];

/** In that state since millisecond 10,000. */
const at = (state: AdmissionState, machine = admissionMachine): Snapshot =>
  machine.resolveState({ value: state, context: { ...input, pressedMillis: 10_000, pressedBy: "memory" } });

/** One reading per class: below every threshold's mercy, within the mercy of each, at each, just below the next. */
const classes = [0, 59, 60, 69, 70, 74, 75, 84, 85, 94, 95, 100, 250] as const;

type Row = Readonly<Record<AdmissionState, AdmissionState>>;
const row = (open: AdmissionState, guarded: AdmissionState, surging: AdmissionState, closed: AdmissionState): Row => ({
  open,
  guarded,
  surging,
  closed,
});

/** Where a reading leads when the dwell time is over. Before that nobody comes down. */
const truth: Readonly<Record<(typeof classes)[number], Row>> = {
  0: row("open", "open", "guarded", "surging"),
  59: row("open", "open", "guarded", "surging"),
  60: row("open", "guarded", "guarded", "surging"),
  69: row("open", "guarded", "guarded", "surging"),
  70: row("guarded", "guarded", "guarded", "surging"),
  74: row("guarded", "guarded", "guarded", "surging"),
  75: row("guarded", "guarded", "surging", "surging"),
  84: row("guarded", "guarded", "surging", "surging"),
  85: row("guarded", "surging", "surging", "closed"),
  94: row("guarded", "surging", "surging", "closed"),
  95: row("guarded", "surging", "closed", "closed"),
  100: row("guarded", "surging", "closed", "closed"),
  250: row("guarded", "surging", "closed", "closed"),
};

const order = (state: AdmissionState): number => admissionStates.indexOf(state);

/** What the table says of a machine, with the dwell time over and not. Answers where they differ. */
const differences = (machine: typeof admissionMachine): ReadonlyArray<string> =>
  admissionStates.flatMap((state) =>
    classes.flatMap((share) => {
      const wanted = truth[share][state];
      const early = order(wanted) < order(state) ? state : wanted;
      const late = next(at(state, machine), reading(share, 12_000), machine).value;
      const soon = next(at(state, machine), reading(share, 11_999), machine).value;
      return [
        ...(late === wanted ? [] : [`${state} at ${share} %: ${late}, not ${wanted}`]),
        ...(soon === early ? [] : [`${state} at ${share} % too soon: ${soon}, not ${early}`]),
      ];
    }),
  );

describe("the admission machine", () => {
  it("goes where the truth table says, from every state, with every class of reading, before and after the dwell", () => {
    assert.deepStrictEqual(differences(admissionMachine), []);
  });

  const original = admissionMachine.implementations.guards as Record<string, (...args: ReadonlyArray<any>) => boolean>;
  const mutants: Readonly<Record<string, (args: any, params: any) => boolean>> = {
    "comes up a step too late": ({ context, event }, { level }) => levelOf(context, event.shares) > level + 1,
    "comes down without the dwell": ({ context, event }, { level }) =>
      levelOf(context, event.shares, context.easedPercent) < level,
    "comes down without the mercy": ({ context, event }, { level }) =>
      levelOf(context, event.shares) < level && event.nowMillis - context.pressedMillis >= context.dwellMillisMin,
    "never comes down": () => false,
  };
  const guardOf: Readonly<Record<string, string>> = { "comes up a step too late": "asksForMore" };
  for (const [name, guard] of Object.entries(mutants)) {
    it(`would be caught if it ${name}`, () => {
      const replaced = guardOf[name] ?? "isOver";
      const others = name === "comes down without the mercy" ? { asksToStay: () => false } : {};
      assert.isDefined(original[replaced]);
      const mutant = admissionMachine.provide({ guards: { [replaced]: guard, ...others } as never });
      assert.isNotEmpty(differences(mutant as typeof admissionMachine));
    });
  }

  it("reaches every state, and moves one step at a time on every path", () => {
    const reached = new Set<string>();
    const paths = getShortestPaths(admissionMachine, {
      input,
      events: ({ context }: Snapshot) =>
        classes.flatMap((share) => [0, 2_000].map((later) => reading(share, context.pressedMillis + later))),
      limit: 20_000,
      stopWhen: ({ context }: Snapshot) => context.pressedMillis > 8_000,
    });
    for (const { state, steps } of paths) {
      const states = [...steps.map((step) => step.state.value), state.value];
      states.forEach((value, i) => {
        reached.add(value);
        if (i > 0) assert.isAtMost(Math.abs(order(value) - order(states[i - 1]!)), 1);
      });
    }
    assert.sameMembers([...reached], [...admissionStates]);
  });

  it("does not flap while readings swing around a threshold", () => {
    let snapshot = initialTransition(admissionMachine, input)[0];
    let changes = 0;
    for (let i = 0; i < 1_000; i++) {
      const after = next(snapshot, reading(i % 2 === 0 ? 72 : 65, 20_000 + i * 500));
      if (after.value !== snapshot.value) changes += 1;
      snapshot = after;
    }
    assert.deepStrictEqual([snapshot.value, changes], ["guarded", 1]);
  });

  it("comes back to open from anywhere once everything is calm, in a bounded time", () => {
    let snapshot = at("closed");
    let nowMillis = 10_000;
    while (snapshot.value !== "open" && nowMillis < 60_000) snapshot = next(snapshot, reading(0, (nowMillis += 500)));
    assert.deepStrictEqual([snapshot.value, nowMillis], ["open", 16_000]);
  });

  it("waits no longer than the dwell time after a clock was set back", () => {
    let snapshot = next(at("surging"), reading(0, 1_000));
    assert.strictEqual(snapshot.value, "surging");
    snapshot = next(snapshot, reading(0, 3_000));
    assert.strictEqual(snapshot.value, "guarded");
  });

  it("asks for a state by whichever share is largest; by newcomers alone never for the last", () => {
    for (const name of readingNames) {
      const of = (share: number) => levelOf(input, { ...calm, [name]: share });
      const last = name === "newcomers" ? 2 : 3;
      assert.deepStrictEqual([0, 70, 85, 95, 1_000].map(of), [0, 1, 2, last, last], name);
    }
  });
});
