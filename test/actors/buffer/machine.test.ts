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
  nowMillis,
} from "./machine-alphabet.ts";
import { restingStates, type RestingState, transitionTable } from "./transition-table.ts";

const walk = (machine: typeof bufferMachine) =>
  getShortestPaths(machine, {
    input,
    events: ({ context }: BufferSnapshot) => eventNames.map((name) => eventOf(name, context.failures)),
    limit: 20_000,
    // Counters have no bound; the shape of the behaviour has.
    stopWhen: ({ context }: BufferSnapshot) => context.failures > 3,
  });

const next = (snapshot: BufferSnapshot, name: EventName): BufferSnapshot =>
  transition(bufferMachine, snapshot, eventOf(name, snapshot.context.failures))[0];

const after = (...names: ReadonlyArray<EventName>): BufferSnapshot =>
  names.reduce(next, initialTransition(bufferMachine, input)[0]);

/** A fresh way into each state, nothing revised. */
const at: Record<RestingState, BufferSnapshot> = {
  idle: after(),
  filling: after("window.filled"),
  pushing: after("batch.closed"),
  backingOff: after("batch.closed", "Deferred, ambiguous"),
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
    Rejected: "idle",
  },
  "may have landed": {
    Delivered: "idle",
    "Deferred, definite": "backingOff",
    "Deferred, ambiguous": "backingOff",
    Rejected: "backingOff",
  },
  "may have landed, last attempt": {
    Delivered: "idle",
    "Deferred, definite": "idle",
    "Deferred, ambiguous": "idle",
    Rejected: "idle",
  },
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

const summary = ({ context, value }: BufferSnapshot) => ({ delivery: value.delivery, context });

describe("buffer machine", () => {
  it("reaches every state that it declares, and its invariants hold on every path", () => {
    const paths = walk(bufferMachine);
    const reached = new Set<string>();
    for (const { state, steps } of paths) {
      for (const each of [...steps.map((step) => step.state), state]) {
        reached.add(`flow.${each.value.flow}`).add(`delivery.${each.value.delivery}`);
        assert.deepStrictEqual(brokenInvariants(each), [], JSON.stringify(each.value));
      }
    }
    const declared = toDirectedGraph(bufferMachine).children.flatMap(({ children, stateNode }) =>
      children
        .filter((child) => (child.stateNode.always ?? []).length === 0)
        .map((child) => `${stateNode.key}.${child.stateNode.key}`),
    );
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
    assert.strictEqual(after("batch.closed", "Rejected", "job.revised").value.delivery, "idle");
    assert.strictEqual(after("batch.closed", "Deferred, ambiguous", "job.revised").value.delivery, "pushing");
  });

  it("does not mix feeding with delivering: the flow turns with its own two events only", () => {
    for (const { state } of walk(bufferMachine)) {
      for (const name of eventNames) {
        const { flow } = next(state, name).value;
        const expected =
          name === "buffer.lagged" ? "backpressured" : name === "buffer.caughtUp" ? "live" : state.value.flow;
        assert.strictEqual(flow, expected, name);
      }
    }
  });

  it("is indifferent to a persist and restore between any two events (I12)", () => {
    for (const { state } of walk(bufferMachine)) {
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
    for (const { state } of walk(bufferMachine)) {
      const before = summary(state);
      const { context, delivery } = summary(restarted(state));
      // What the row cannot know: whether a push in flight landed. A drained one is begun again.
      const expected =
        before.context.batch === null ? "idle" : before.delivery === "backingOff" ? "backingOff" : "pushing";
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
        backoffMillis: delivery === "backingOff" ? left : before.context.backoffMillis,
      });
      // And so it goes on: the same attempt of the same batch, the same verdict.
      const answer = delivery === "backingOff" ? "after backoff" : "Delivered";
      assert.strictEqual(next(restarted(state), answer).value.delivery, delivery === "backingOff" ? "pushing" : "idle");
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
    for (const name of ["batch.closed", "job.revised", "Rejected", "batch.closed", "buffer.drain"] as const) send(name);
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
    };
    for (const [name, implementations] of Object.entries(mutants)) {
      it(name, () => {
        const broken = walk(bufferMachine.provide(implementations) as typeof bufferMachine).flatMap(({ state }) =>
          brokenInvariants(state),
        );
        assert.isNotEmpty(broken);
      });
    }
  });

  it("begins each attempt with the same batch and the next number", () => {
    const inputs: Array<unknown> = [];
    let snapshot = at.idle;
    for (const name of ["batch.closed", "Deferred, definite", "after backoff", "Rejected", "after backoff"] as const) {
      const [following, actions] = transition(bufferMachine, snapshot, eventOf(name, snapshot.context.failures));
      snapshot = following;
      for (const { params, type } of actions as ReadonlyArray<{ type: string; params: unknown }>) {
        if (type === "startPush") inputs.push(params);
      }
    }
    assert.deepStrictEqual(
      inputs,
      [1, 2, 3].map((attempt) => ({ job: "job-1", batch, attempt })),
    );
  });
});
