import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { answerCommand } from "../../../src/control/rollout/commands.ts";
import { type ControlOptions, noFaults } from "../../../src/control/rollout/control-options.ts";
import { openDesk } from "../../../src/control/rollout/desk.ts";
import { nextProposal } from "../../../src/control/rollout/next-rollout.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import { proposeAgain } from "../../../src/control/rollout/propose-again.ts";
import { intentOf } from "../../../src/control/rollout/intent.ts";
import { nextWaiting } from "../../../src/control/rollout/waiting-changes.ts";
import type { ConfigPlan } from "../../../src/domain/config-report.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
import { JobTable } from "../../../src/streams/job-table.ts";
import { StoredJobs } from "../../../src/streams/stored-jobs.ts";
import { limits, storedJob } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";
import { refOf, servedJobs, snapshotOf } from "./snapshots.ts";

const bounds = { isFirst: false, smallChangeJobsMax: 10 };

/** Nothing is served; these customers' jobs wait, `j-a` of `a` at the first revision that is given. */
const waiting = (...revisions: ReadonlyArray<readonly [customer: string, revision: number]>) => {
  const stored = new StoredJobs(new JobTable(8), 8);
  for (const [customer, revision] of revisions) {
    const { job } = storedJob(`j-${customer}`, customer);
    stored.put({ job, revision }, encodeJob(job));
  }
  const next = () => {
    const { customers, position } = nextWaiting(stored, 20, bounds)!;
    return [customers === undefined ? "all" : [...customers].toSorted().join(), position];
  };
  return { stored, next };
};

describe("what goes out next by itself", () => {
  it("is the oldest of several customers' small changes", () => {
    assert.deepStrictEqual(waiting(["b", 12], ["a", 11], ["c", 13]).next(), ["a", 11]);
    assert.deepStrictEqual(waiting(["a", 11]).next(), ["all", 20]);
  });

  it("is a small change before a large one, and a wave as a whole", () => {
    const { next, stored } = waiting(["b", 40]);
    for (let i = 0; i < 30; i++) {
      const { job } = storedJob(`j-a-${i}`, "a");
      stored.put({ job, revision: 1 + i }, encodeJob(job));
    }
    assert.deepStrictEqual(next(), ["b", 0], "what comes before it is not in force");
    assert.deepStrictEqual(waiting(...Array.from({ length: 9 }, (_, i) => [`c${i}`, 5 + i] as const)).next()[0], "all");
  });

  it("is all that one transaction has changed, and whatever that is bound to by another one", () => {
    const { next, stored } = waiting(["a", 11], ["b", 12], ["c", 13], ["d", 14]);
    stored.wroteTogether(["j-a", "j-b"], 11, 12);
    assert.deepStrictEqual(next(), ["a,b", 12]);
    stored.wroteTogether(["j-b", "j-c"], 12, 13);
    assert.deepStrictEqual(next(), ["a,b,c", 13]);
  });

  it("is not bound by what is in force, nor torn by a later change of one of them", () => {
    const { next, stored } = waiting(["a", 17], ["b", 12], ["c", 13]);
    stored.wroteTogether(["j-a", "j-c"], 8, 9);
    assert.deepStrictEqual(next(), ["b", 12]);
    // `a` was changed once more since: without the rest of it, that would be a part.
    stored.wroteTogether(["j-a", "j-b"], 11, 12);
    assert.deepStrictEqual(next(), ["a,b", 12]);
  });

  it("keeps together at least what it has to, however many transactions there were", () => {
    const names = Array.from({ length: 8 }, (_, i) => `c${i}`);
    const { next, stored } = waiting(...names.map((name, i) => [name, 100 + 2 * i] as const));
    for (let i = 0; i < 200; i++) stored.wroteTogether(["j-c0", "j-c3"], 99 - i, 107 + i);
    assert.deepStrictEqual(next()[0], "c0,c3");
  });
});

/** A control process that nothing is begun by: sixty customers are in force, and three of them have a change each. */
const threeCustomers = Effect.gen(function* () {
  yield* TestClock.setTime(1_000_000);
  const inForce: Snapshot = yield* snapshotOf(7, { customers: 60, revision: 1 });
  const { stored } = servedJobs(60);
  for (const [i, revision] of [11, 12, 13].entries()) {
    const { job } = storedJob(`j-${i}`, `c-${i}`, { weight: 5 });
    stored.put({ job, revision }, encodeJob(job));
  }
  const world = { isBehind: false, isCaughtUp: false, isRead: true, position: 20 };
  const options = {
    node: "one",
    limits,
    store: new ScriptedConfigStore().store,
    stored,
    position: () => world.position,
    isCaughtUp: () => world.isRead,
    cell: () => "cell",
    current: () => (world.isBehind ? undefined : inForce),
    fetch: () => Effect.succeed(inForce),
    inStore: (id: string) => Effect.succeed(stored.get(id)),
    problemOf: () => undefined,
    catalogue: () => ({ hash: inForce.manifest.catalogue.hash, content: Buffer.from("[]") }),
    faults: noFaults,
    audit: () => Effect.void,
    ended: () => Effect.void,
  } as unknown as ControlOptions;
  const open = Effect.gen(function* () {
    const desk = yield* openDesk(options, new NodeReports());
    desk.state = { ...desk.state, published: refOf(inForce), highest: 7 };
    return desk;
  });
  return { desk: yield* open, open, options, stored, world };
});

describe("a person's plan", () => {
  it.effect("has all that waits, whatever goes out by itself; it names the snapshot that can be accepted", () =>
    Effect.gen(function* () {
      const { desk } = yield* threeCustomers;
      const plan = Effect.map(answerCommand(desk, { op: "plan" }), (said) => (said as { done: ConfigPlan }).done);
      const first = yield* plan;
      assert.deepStrictEqual(
        first.diff.changes.map(({ customer }) => customer),
        ["c-0", "c-1", "c-2"],
      );
      assert.isFalse(first.verdict!.small, "it goes out in steps");
      yield* TestClock.adjust("3 seconds");
      const alone = yield* nextProposal(desk, "byItself");
      assert.notStrictEqual(alone!.snapshot.hash, first.verdict!.snapshot);
      yield* TestClock.adjust("3 seconds");
      assert.strictEqual((yield* plan).verdict!.snapshot, first.verdict!.snapshot, "still that one");
      assert.strictEqual((yield* nextProposal(desk, "byItself"))!.snapshot.hash, alone!.snapshot.hash);
      assert.notStrictEqual((yield* nextProposal(desk, "asked"))!.key, alone!.key);
    }),
  );

  it.effect("is of one moment, and made anew for what was stored while it was made", () =>
    Effect.gen(function* () {
      const { desk, stored, world } = yield* threeCustomers;
      const plan = Effect.map(answerCommand(desk, { op: "plan" }), (said) => (said as { done: ConfigPlan }).done);
      // Until others have their turn for the first time.
      const planning = yield* Effect.forkChild(plan, { startImmediately: true });
      assert.isUndefined(planning.pollUnsafe());
      for (const [i, revision] of [21, 22].entries()) {
        const { job } = storedJob(`j-${i + 1}`, `c-${i + 1}`, { weight: 7 });
        stored.put({ job, revision }, encodeJob(job));
      }
      world.position = 22;
      const revisionsIn = ({ diff }: ConfigPlan) => diff.changes.map(({ revisionAfter }) => revisionAfter);
      assert.deepStrictEqual(revisionsIn(yield* Fiber.join(planning)), [11, 12, 13], "nothing of what came later");
      assert.deepStrictEqual(revisionsIn(yield* plan), [11, 21, 22]);
    }),
  );

  it.effect("waits for a node that is behind what is in force, and says so rather than that nothing would change", () =>
    Effect.gen(function* () {
      const { desk, world } = yield* threeCustomers;
      const ask = Effect.fnUntraced(function* (command: object) {
        const answering = yield* Effect.forkChild(answerCommand(desk, command), { startImmediately: true });
        yield* TestClock.adjust("1 second");
        if (!world.isCaughtUp) yield* TestClock.adjust("1 second");
        world.isBehind = false;
        yield* TestClock.adjust("1 second");
        return yield* Fiber.join(answering);
      });
      for (const op of ["plan", "apply"]) {
        world.isBehind = true;
        const answer = yield* ask({ op, accept: null, who: "test", why: "" });
        assert.match(JSON.stringify(answer), /"unavailable":"one, whose control process leads, does not serve/, op);
      }
      assert.strictEqual(desk.machine.value, "idle");
      world.isBehind = true;
      world.isCaughtUp = true;
      const { done } = (yield* ask({ op: "plan" })) as { readonly done: ConfigPlan };
      assert.strictEqual(done.diff.changes.length, 3);
    }),
  );

  it.effect("waits until the job store was read to its end: what was read so far may be old", () =>
    Effect.gen(function* () {
      const { desk, world } = yield* threeCustomers;
      world.isRead = false;
      assert.isUndefined(yield* nextProposal(desk, "byItself"));
      const planning = yield* Effect.forkChild(answerCommand(desk, { op: "plan" }), { startImmediately: true });
      yield* TestClock.adjust("2 seconds");
      assert.match(JSON.stringify(yield* Fiber.join(planning)), /"unavailable":"one, .* has yet to read the job store/);
      world.isRead = true;
      assert.isDefined(yield* nextProposal(desk, "byItself"));
    }),
  );

  it.effect("and what goes out by itself are each made again, to the bit, by another control process", () =>
    Effect.gen(function* () {
      const { desk, open, options } = yield* threeCustomers;
      for (const how of ["asked", "byItself"] as const) {
        const made = (yield* nextProposal(desk, how))!;
        yield* TestClock.adjust("3 seconds");
        const intent = intentOf(options, made, { accept: null, frozenBefore: null });
        const again = yield* proposeAgain(yield* open, refOf(made.snapshot), intent);
        assert.strictEqual("proposal" in again ? again.proposal.snapshot.hash : again.why, made.snapshot.hash, how);
      }
    }),
  );
});
