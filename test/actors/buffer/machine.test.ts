import { assert, describe, it } from "@effect/vitest";
import { createActor, initialTransition, type Snapshot, transition } from "xstate";
import { getShortestPaths, toDirectedGraph } from "xstate/graph";
import { bufferMachine } from "../../../src/actors/buffer/machine.ts";
import { restoreSnapshot, saveSnapshot } from "../../../src/actors/buffer/snapshot.ts";
import {
  alphabet,
  batch,
  brokenInvariants,
  type BufferSnapshot,
  eventNames,
  type EventName,
  eventOf,
  input,
  isWaiting,
  nowMillis,
} from "./machine-alphabet.ts";
import { restingStates, type RestingState, transitionTable } from "./transition-table.ts";

/** The two regions share no event but these, which the flow alone heeds: they are walked one at a time. */
const flowEvents: ReadonlyArray<EventName> = [
  "buffer.lagged",
  "buffer.caughtUp",
  "backlog.exceeded, refuse",
  "backlog.exceeded, shedOldest",
  "backlog.eased",
];

const deliveryEvents = eventNames.filter((name) => !flowEvents.includes(name));

/** @param failuresMax counters have no bound; the shape of the behaviour has */
const walk = (machine: typeof bufferMachine, names: ReadonlyArray<EventName> = deliveryEvents, failuresMax = 2) =>
  getShortestPaths(machine, {
    input,
    events: ({ context }: BufferSnapshot) => names.map((name) => eventOf(name, context.failures)),
    limit: 500_000,
    stopWhen: ({ context }: BufferSnapshot) =>
      context.failures > failuresMax || context.failuresSinceRevised > failuresMax,
  });

const next = (snapshot: BufferSnapshot, name: EventName): BufferSnapshot =>
  transition(bufferMachine, snapshot, eventOf(name, snapshot.context.failures))[0];

const after = (...names: ReadonlyArray<EventName>): BufferSnapshot =>
  names.reduce(next, initialTransition(bufferMachine, input)[0]);

/** The first record of a batch of three is refused alone. */
const toFirstRecord: ReadonlyArray<EventName> = [
  "batch.closed",
  "Rejected, data",
  "row.written",
  "Rejected, data",
  "row.written",
  "Rejected, data",
];

/** A fresh way into each state, nothing revised. */
const at: Record<RestingState, BufferSnapshot> = {
  idle: after(),
  filling: after("window.filled"),
  pushing: after("batch.closed"),
  backingOff: after("batch.closed", "Deferred, ambiguous"),
  suspended: after("batch.closed", "Rejected, settings"),
  bisecting: after("batch.closed", "Rejected, data"),
  // Three records, halved to the first.
  deadLettering: after(...toFirstRecord),
  quarantined: after("buffer.quarantine"),
  draining: after("buffer.drain"),
};

/** Where a push of a superseded revision leads, by what is known of the attempts before it. */
const revised: Record<
  "nothing landed" | "may have landed" | "may have landed, last attempt",
  Partial<Record<EventName, RestingState>>
> = {
  "nothing landed": {
    Delivered: "idle",
    "Deferred, definite": "idle",
    "Deferred, ambiguous": "backingOff",
    "Rejected, settings": "idle",
  },
  "may have landed": {
    Delivered: "idle",
    "Deferred, definite": "backingOff",
    "Deferred, ambiguous": "backingOff",
    "Rejected, settings": "backingOff",
  },
  "may have landed, last attempt": {
    Delivered: "idle",
    "Deferred, definite": "idle",
    "Deferred, ambiguous": "idle",
    "Rejected, settings": "idle",
  },
};

/** What a row keeps as it is. */
const kept = ["backingOff", "suspended", "bisecting", "deadLettering", "quarantined"];

const refuse = "overloaded.refuse";
const shed = "overloaded.shedOldest";
/** Where the flow leads; with every other event it stays. */
const flowTable: Partial<Record<EventName, Readonly<Record<string, string>>>> = {
  "buffer.lagged": { live: "backpressured" },
  "buffer.caughtUp": { backpressured: "live", [refuse]: "live", [shed]: "live" },
  "backlog.exceeded, refuse": { backpressured: refuse, [shed]: refuse },
  "backlog.exceeded, shedOldest": { backpressured: shed, [refuse]: shed },
  "backlog.eased": { [refuse]: "backpressured", [shed]: "backpressured" },
};

/** JSON there and back, as a store does it. */
const persisted = (snapshot: BufferSnapshot): BufferSnapshot =>
  bufferMachine.resolveState({
    value: JSON.parse(JSON.stringify(snapshot.value)),
    context: JSON.parse(JSON.stringify(snapshot.context)),
  });

/** Through the row: what `saveSnapshot` keeps, then the process dies, then the actor is started from it. */
const restarted = ({ context, value }: BufferSnapshot): BufferSnapshot => {
  const saved: unknown = JSON.parse(JSON.stringify(saveSnapshot(value.delivery, context) ?? null));
  const pending = context.batch !== null || value.delivery === "filling" || value.flow === "backpressured";
  const restored = restoreSnapshot(saved ?? undefined, input, pending, context.revised) as BufferSnapshot;
  return transition(bufferMachine, restored, { type: "buffer.resumed", nowMillis })[0];
};

/** `overloaded.refuse` for a state within a state. */
const wordOf = (flow: BufferSnapshot["value"]["flow"]): string =>
  typeof flow === "string" ? flow : Object.entries(flow).flat().join(".");

const summary = ({ context, value }: BufferSnapshot) => ({ delivery: value.delivery, context });

/** What the walk finds wrong with a machine; a step that throws is wrong too. */
const brokenBy = (machine: typeof bufferMachine): ReadonlyArray<unknown> => {
  try {
    return walk(machine, deliveryEvents, 1).flatMap(({ state }) => brokenInvariants(state));
  } catch (thrown) {
    return [thrown];
  }
};

describe("buffer machine", () => {
  it("reaches every state that it declares, and its invariants hold on every path", () => {
    const paths = [...walk(bufferMachine), ...walk(bufferMachine, flowEvents)];
    const reached = new Set<string>();
    for (const { state, steps } of paths) {
      for (const each of [...steps.map((step) => step.state), state]) {
        reached.add(`flow.${wordOf(each.value.flow)}`).add(`delivery.${each.value.delivery}`);
        assert.deepStrictEqual(brokenInvariants(each), [], JSON.stringify(each.value));
      }
    }
    const leaves = (key: string, { children, stateNode }: ReturnType<typeof toDirectedGraph>): Array<string> =>
      (stateNode.always ?? []).length > 0
        ? []
        : children.length === 0
          ? [key]
          : children.flatMap((child) => leaves(`${key}.${child.stateNode.key}`, child));
    const declared = toDirectedGraph(bufferMachine).children.flatMap((region) => leaves(region.stateNode.key, region));
    assert.sameMembers([...reached], declared);
    assert.sameMembers(
      restingStates.map((state) => `delivery.${state}`),
      declared.filter((state) => state.startsWith("delivery.")),
    );
    assert.isAbove(paths.length, 50);
  });

  for (const state of restingStates) {
    it(`goes from ${state} where the table says, with every event there is`, () => {
      const actual = Object.fromEntries(eventNames.map((name) => [name, next(at[state], name).value.delivery]));
      assert.deepStrictEqual(actual, transitionTable[state]);
    });
  }

  it("gives a superseded revision up where the table says", () => {
    const pushing = {
      "nothing landed": after("batch.closed", "job.revised"),
      "may have landed": after("batch.closed", "Deferred, ambiguous", "after backoff", "job.revised"),
      "may have landed, last attempt": after("batch.closed", "job.revised", "Deferred, ambiguous", "after backoff"),
    };
    for (const [known, row] of Object.entries(revised)) {
      const from = pushing[known as keyof typeof pushing];
      assert.strictEqual(from.value.delivery, "pushing");
      const actual = Object.keys(row).map((name) => [name, next(from, name as EventName).value.delivery]);
      assert.deepStrictEqual(Object.fromEntries(actual), row, known);
    }
    // Between two attempts: at once when nothing can have landed, and after one more attempt otherwise.
    assert.strictEqual(after("batch.closed", "Rejected, settings", "job.revised").value.delivery, "idle");
    assert.strictEqual(after("batch.closed", "Deferred, ambiguous", "job.revised").value.delivery, "pushing");
  });

  it("does not mix feeding with delivering: the flow turns with its own events only", () => {
    const flows = walk(bufferMachine, flowEvents).map(({ state }) => state.value.flow);
    for (const state of Object.values(at)) {
      for (const flowValue of flows) {
        const from = bufferMachine.resolveState({ value: { ...state.value, flow: flowValue }, context: state.context });
        const flow = wordOf(flowValue);
        for (const name of eventNames) {
          const to = next(from, name).value;
          assert.strictEqual(wordOf(to.flow), flowTable[name]?.[flow] ?? flow, `${flow}: ${name}`);
          assert.strictEqual(to.delivery, next(state, name).value.delivery);
        }
      }
    }
  });

  it("is indifferent to a persist and restore between any two events (I12)", () => {
    for (const { state } of walk(bufferMachine, deliveryEvents, 0)) {
      for (const name of eventNames.filter((each) => !alphabet[each].type.startsWith("xstate."))) {
        const direct = next(state, name);
        const hibernated = next(persisted(state), name);
        assert.deepStrictEqual(hibernated.value, direct.value);
        assert.deepStrictEqual(hibernated.context, direct.context);
      }
      // A push is no event that a restored actor could miss: it is begun again, and then answers.
      if (state.value.delivery !== "pushing") continue;
      const resumed = next(persisted(state), "buffer.resumed");
      for (const name of ["Delivered", "Deferred, ambiguous"] as const) {
        const { context, value } = next(resumed, name);
        const direct = next(state, name);
        assert.deepStrictEqual(value, direct.value);
        assert.deepStrictEqual(context, direct.context);
      }
    }
  });

  it("goes on from its row as it would have without a restart, but for what a crash leaves unknown (I12)", () => {
    for (const { state } of walk(bufferMachine, deliveryEvents, 1)) {
      const before = summary(state);
      const { context, delivery } = summary(restarted(state));
      // What the row cannot know: whether a push in flight landed. A drained one is begun again.
      const keeps =
        kept.includes(before.delivery) && (before.context.batch !== null || before.delivery === "quarantined");
      const expected = keeps ? before.delivery : before.context.batch === null ? "idle" : "pushing";
      assert.strictEqual(delivery, expected);
      if (before.context.batch === null) {
        // An idle actor needs nothing of the past; if records wait, some may have been pushed without a trace.
        assert.isNull(context.batch);
        assert.strictEqual(context.failures, 0);
        continue;
      }
      const left = Math.max(0, Math.min(before.context.backoffMillis, before.context.retryAtMillis - nowMillis));
      assert.deepStrictEqual(context, {
        ...before.context,
        ambiguous: before.context.ambiguous || delivery === "pushing",
        backoffMillis: isWaiting(delivery) ? left : before.context.backoffMillis,
      });
      // And so it goes on: the same attempt of the same batch, the same verdict.
      if (delivery !== "pushing") {
        for (const name of [
          "after backoff",
          "after probe",
          "row.written",
          "deadLetter.stored",
          "buffer.resume",
        ] as const)
          assert.strictEqual(next(restarted(state), name).value.delivery, next(state, name).value.delivery, name);
      } else if (before.delivery === "pushing") {
        assert.deepStrictEqual(next(restarted(state), "Delivered").value, {
          ...next(state, "Delivered").value,
          flow: restarted(state).value.flow,
        });
      }
    }
  });

  it("doubts the first batch after a restart when the row has a backlog, or when a newer revision waits", () => {
    const doubted = (pending: boolean, revisionWaits: boolean) =>
      (restoreSnapshot(undefined, input, pending, revisionWaits) as BufferSnapshot).context.ambiguous;
    assert.deepStrictEqual([doubted(false, false), doubted(true, false), doubted(false, true)], [false, true, true]);
  });

  it("starts anew from a row that it cannot read, and never throws", () => {
    for (const saved of [
      null,
      7,
      {},
      { version: 2, delivery: "pushing" },
      { version: 1, delivery: "flying", context: {} },
    ]) {
      const restored = restoreSnapshot(saved, input, true, false) as BufferSnapshot;
      assert.deepStrictEqual(restored.value, { flow: "backpressured", delivery: "idle" });
      assert.isNull(restored.context.batch);
    }
  });

  it("tells the shell what to do and what happened, once and in order", () => {
    const told: Array<string> = [];
    const actor = createActor(
      bufferMachine.provide({
        actions: {
          startPush: (_, { attempt }) => told.push(`start ${attempt}`),
          cancelPush: () => told.push("cancel"),
          reportPush: (_, { attempt, answer }) => told.push(`${attempt} ${answer.outcome._tag}`),
          reportSettled: (_, { batch: { first, last } }) => told.push(`settled ${first}-${last}`),
          reportAbandoned: (_, { ambiguous }) => told.push(`abandoned ${ambiguous}`),
          reportAdoptable: () => told.push("adoptable"),
          reportDrained: () => told.push("drained"),
        },
      }),
      { input, snapshot: at.pushing as Snapshot<unknown> as never },
    );
    actor.start();
    const send = (name: EventName) => actor.send(eventOf(name, actor.getSnapshot().context.failures));
    const names = ["job.revised", "Deferred, ambiguous", "after backoff", "stale answer", "Delivered"] as const;
    for (const name of names) send(name);
    for (const name of ["batch.closed", "job.revised", "Rejected, settings", "batch.closed", "buffer.drain"] as const)
      send(name);
    actor.stop();
    const expected = [
      ["cancel", "1 Deferred", "start 2"],
      ["cancel", "2 Delivered", "settled 3-9", "adoptable"],
      ["start 1", "cancel", "1 Rejected", "abandoned false", "adoptable"],
      ["start 1", "cancel", "drained"],
    ];
    assert.deepStrictEqual(told, expected.flat());
  });

  it("crashes its own actor when the push dies of a defect, unless that push was given up", () => {
    let crash: unknown;
    const actor = createActor(bufferMachine, { input, snapshot: at.pushing as Snapshot<unknown> as never });
    actor.subscribe({ error: (cause) => (crash = cause) });
    actor.start();
    actor.send({ type: "push.died", attempt: 2, cause: "of another attempt" });
    assert.strictEqual(actor.getSnapshot().status, "active");
    actor.send({ type: "push.died", attempt: 1, cause: "a defect" });
    assert.strictEqual(actor.getSnapshot().status, "error");
    assert.strictEqual(crash, "a defect");
  });

  describe("the walk catches", () => {
    type Implementations = Parameters<typeof bufferMachine.provide>[0];
    const mutants: Record<string, Implementations> = {
      "a settled batch that is not let go": { actions: { settle: () => undefined } },
      "a failure that is not counted": { actions: { defer: () => undefined } },
      "a superseded revision that is never given up": { guards: { mayRecutAfter: () => false } },
      "a batch that is not claimed": { actions: { claim: () => undefined } },
      "a revision that is adopted and still waits": { actions: { adoptRevision: () => undefined } },
      "a bisection that is not ended by its last part": { guards: { isDelivered: () => false } },
      "a refusal that nobody notes": { actions: { noteRefusal: () => undefined } },
    };
    for (const [name, implementations] of Object.entries(mutants)) {
      it(name, () => {
        assert.isNotEmpty(brokenBy(bufferMachine.provide(implementations) as typeof bufferMachine));
      });
    }
  });

  it("begins each attempt with the same batch and the next number", () => {
    const inputs: Array<unknown> = [];
    let snapshot = at.idle;
    for (const name of [
      "batch.closed",
      "Deferred, definite",
      "after backoff",
      "Rejected, settings",
      "after probe",
    ] as const) {
      const [following, actions] = transition(bufferMachine, snapshot, eventOf(name, snapshot.context.failures));
      snapshot = following;
      for (const { params, type } of actions as ReadonlyArray<{ type: string; params: unknown }>) {
        if (type === "startPush") inputs.push(params);
      }
    }
    assert.deepStrictEqual(
      inputs,
      [1, 2, 3].map((attempt) => ({ job: "job-1", batch, attempt, part: null })),
    );
  });
});
