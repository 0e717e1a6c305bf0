import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import type { ConfigCommand, ConfigPlan, ConfigStatus, RolloutRecord } from "../../src/domain/config-report.ts";
import {
  answerTo,
  customers,
  elsewhere,
  pathOf,
  planUntil,
  putAll,
  startNode,
  statusUntil,
} from "../support/config-nodes.ts";
import { type ConfigNodeOptions, server } from "../support/job-nodes.ts";

/** A node, and the numbers of what it served, one after the other. */
const start = Effect.fnUntraced(function* (url: string, name: string, options: ConfigNodeOptions = {}) {
  const node = yield* startNode(url, { ...options, name, limits: { ...inSteps, ...options.limits } });
  const numbers: Array<number> = [];
  yield* node.jobs.onChange(({ number }) => Effect.sync(() => void numbers.push(number)));
  return { ...node, numbers };
});
type Started = Effect.Success<ReturnType<typeof start>>;

/** The named nodes, half of the customers, all; each step is watched for some seconds. */
const inSteps = { rolloutCanaryPercent: 50, rolloutWatchMillis: 1_500, redirectedPercentMax: 100 };

const who = { who: "test", why: "a test" };
const names = customers(30);

/** How many of the jobs deliver elsewhere by now. */
const moved = (node: Started) => names.filter((name) => pathOf(node, name) === "/elsewhere").length;

/** Thirty jobs in force on all nodes, and each of these stored with another destination, under the ice. */
const frozenChange = Effect.fnUntraced(function* (leader: Started, nodes: number, changed = names) {
  yield* putAll(leader, names);
  yield* statusUntil(
    leader,
    "all are in force on all nodes",
    (status) =>
      status.inForce?.jobs === names.length &&
      status.pending === 0 &&
      status.rollout.state === "idle" &&
      status.nodes.filter(({ serves }) => serves?.hash === status.inForce?.hash).length === nodes,
  );
  yield* answerTo(leader, { op: "freeze", ...who });
  yield* putAll(leader, changed, elsewhere);
  return yield* statusUntil(leader, "all are pending", ({ pending }) => pending === changed.length);
});

const applyTo = (canaryNodes: ReadonlyArray<string>, unfreeze = true): ConfigCommand => ({
  op: "apply",
  accept: null,
  canaryNodes,
  unfreeze,
  ...who,
});

const atCanary = ({ rollout }: ConfigStatus) => rollout.state === "watching" && rollout.percent === 0;

describe("a rollout to named nodes first", () => {
  it.live(
    "serves them all of it, then the others in steps; it is refused for names that are not good for it",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* start(url, "one");
        const two = yield* start(url, "two", { controls: false });
        const three = yield* start(url, "three", { controls: false });
        const before = yield* frozenChange(one, 3);

        assert.match((yield* answerTo(one, applyTo(["two"], false))).conflict ?? "", /frozen by test/);
        const refused = [
          [["two", "gone"], /No node gone has reported lately\. These have: one, three, two\./],
          [["one", "two", "three"], /all the nodes that are alive/],
        ] as const;
        for (const [nodes, text] of refused) assert.match((yield* answerTo(one, applyTo(nodes))).invalid ?? "", text);
        const still = yield* statusUntil(one, "nothing was begun", () => true);
        assert.deepStrictEqual([still.rollout.state, still.frozen?.who], ["idle", "test"]);

        yield* putAll(one, ["new"]);
        yield* statusUntil(one, "a new one is pending", ({ pending }) => pending === names.length + 1);
        const isNewAt = ({ jobs }: Started) => jobs.served().byId.has("j-new");
        const begun = yield* answerTo(one, applyTo(["two", "two"]));
        assert.isNotNull(begun.done?.begun);
        assert.isNull(begun.done!.frozen);
        const canary = yield* statusUntil(one, "the canary is watched", atCanary);
        assert.deepStrictEqual(canary.rollout.canary?.nodes, ["two"]);
        assert.deepStrictEqual(canary.rollout.adopted, { nodes: 1, of: 1 });
        assert.deepStrictEqual([one, two, three].map(moved), [0, 30, 0], "all of it there, and nothing elsewhere");
        assert.deepStrictEqual([one, two, three].map(isNewAt), [false, true, false]);
        assert.strictEqual(canary.inForce?.hash, before.inForce?.hash);
        assert.deepStrictEqual(
          canary.nodes.map(({ node, serves }) => [node, serves?.hash]),
          [
            ["one", before.inForce?.hash],
            ["three", before.inForce?.hash],
            ["two", canary.rollout.canary?.hash],
          ],
        );
        const half = yield* statusUntil(
          one,
          "half of the customers are watched",
          ({ rollout }) => rollout.state === "watching" && rollout.percent === 50,
        );
        assert.deepStrictEqual(half.rollout.adopted, { nodes: 3, of: 3 });
        const share = moved(one);
        assert.isTrue(share > 0 && share < 30, `${share} of 30`);
        assert.deepStrictEqual([one, two, three].map(moved), [share, 30, share]);
        const done = yield* statusUntil(one, "all have it", ({ last }) => last?.number === begun.done!.begun!.number);
        assert.strictEqual(done.last?.result, "complete");
        assert.deepStrictEqual([one, two, three].map(moved), [30, 30, 30]);
        assert.deepStrictEqual([one, two, three].map(isNewAt), [true, true, true]);
        assert.deepStrictEqual(new Set(done.nodes.map(({ serves }) => serves?.hash)), new Set([done.inForce?.hash]));
        assert.notProperty(done.rollout, "canary");
        assert.isAbove(two.numbers.at(-2)!, one.numbers.at(-2)!, "above every step but the last");
        for (const { numbers } of [one, two, three]) {
          assert.deepStrictEqual(
            numbers,
            [...new Set(numbers)].toSorted((a, b) => a - b),
            "no node goes back in time",
          );
        }
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "takes small changes of three customers there together; by itself, only what one transaction has written",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* start(url, "one");
        const two = yield* start(url, "two", { controls: false });
        yield* frozenChange(one, 2, names.slice(0, 3));
        const { done: plan } = (yield* answerTo(one, { op: "plan" })) as unknown as { readonly done: ConfigPlan };
        assert.deepStrictEqual(plan.diff.changes.map(({ customer }) => customer).toSorted(), ["c0", "c1", "c2"]);
        assert.isFalse(plan.verdict!.small);
        const { done: begun } = yield* answerTo(one, { ...applyTo(["two"]), accept: plan.verdict!.snapshot } as never);
        assert.strictEqual(begun?.begun?.hash, plan.verdict!.snapshot);
        yield* statusUntil(one, "the canary is watched", atCanary);
        assert.deepStrictEqual([one, two].map(moved), [0, 3]);
        yield* statusUntil(one, "all have it", ({ last }) => last?.hash === plan.verdict!.snapshot);
        assert.deepStrictEqual([one, two].map(moved), [3, 3]);

        // In a moment at which both are pending: whatever is seen of it is seen of both customers.
        yield* answerTo(one, { op: "freeze", ...who });
        yield* putAll(one, ["c3"], elsewhere);
        yield* putAll(one, names.slice(10, 12), elsewhere);
        yield* statusUntil(one, "all are pending", ({ pending }) => pending === 3);
        yield* answerTo(one, { op: "unfreeze", ...who });
        const done = yield* statusUntil(
          one,
          "all are in force",
          ({ pending, rollout }) => pending === 0 && rollout.state === "idle",
        );
        const { done: history } = (yield* answerTo(one, { op: "history", limit: 2 })) as unknown as {
          readonly done: ReadonlyArray<RolloutRecord>;
        };
        assert.deepStrictEqual(
          history.map(({ verdict }) => [verdict!.radius.customers.touched, verdict!.small]),
          [
            [2, false],
            [1, true],
          ],
        );
        assert.strictEqual(done.last?.hash, history[0]!.hash);
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "goes back from them alone when one of them refuses it, or is gone",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const lenient = {
          removedPercentMax: 100,
          removedDatasetPercentMax: 100,
          servedRemovedPercentMax: 100,
          smallChangeJobsMax: 1,
        };
        const patient = { rolloutWatchMillis: 60_000, rolloutSilenceMillisMax: 2_000 };
        const one = yield* start(url, "one", { limits: { ...lenient, ...patient } });
        const two = yield* start(url, "two", { controls: false, limits: lenient });
        const strict = { ...lenient, servedRemovedPercentMax: 1 };
        const three = yield* start(url, "three", { controls: false, limits: strict });
        const before = yield* frozenChange(one, 3);
        yield* putAll(one, names.slice(0, 20), { ...elsewhere, enabled: false });
        // All were pending before: only the plan tells that the leader has read the newer revisions of twenty.
        yield* planUntil(one, "twenty are to be disabled", ({ verdict }) => verdict?.radius.jobs.disabled === 20);
        const touched = [one, two].map(({ numbers }) => numbers.length);
        yield* answerTo(one, applyTo(["three"]));
        const back = yield* statusUntil(one, "it is rolled back", ({ last }) => last?.result === "rolledBack");
        assert.match(back.last!.reason, /three refuses it \(shrunk\)/);
        assert.strictEqual(back.frozen?.who, "spillway");
        const asBefore = (status: ConfigStatus) =>
          status.nodes.length === 3 && status.nodes.every(({ serves }) => serves?.hash === status.inForce?.hash);
        yield* statusUntil(one, "all serve what they had, under a new number", asBefore);
        assert.isAbove(back.inForce!.number, before.inForce!.number);
        assert.deepStrictEqual([one, two, three].map(moved), [0, 0, 0]);
        // The others had nothing else in between.
        assert.deepStrictEqual(
          [one, two].map(({ numbers }) => numbers.length),
          touched.map((count) => count + 1),
        );

        yield* answerTo(one, applyTo(["two"]));
        yield* statusUntil(one, "the canary is watched", atCanary);
        assert.deepStrictEqual([one, two, three].map(moved), [0, 30, 0]);
        yield* two.end;
        const silent = yield* statusUntil(
          one,
          "it is rolled back again",
          ({ last }) => last?.result === "rolledBack" && last.number > back.last!.number,
        );
        assert.strictEqual(silent.last!.reason, "nothing is heard of how it goes on two");
        assert.deepStrictEqual([one, three].map(moved), [0, 0]);
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "is gone on with by another control process, and taken back by a person",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const slow = { limits: { rolloutWatchMillis: 30_000 } };
        const one = yield* start(url, "one", slow);
        const two = yield* start(url, "two", slow);
        const three = yield* start(url, "three", { ...slow, controls: false });
        yield* frozenChange(one, 3);
        const { done: begun } = yield* answerTo(one, applyTo(["two"]));
        yield* statusUntil(one, "the canary is watched", atCanary);
        yield* one.end;
        // Who leads now is the canary itself.
        const next = yield* statusUntil(
          two,
          "another one leads",
          (status) => status.leader === "two" && atCanary(status),
        );
        assert.deepStrictEqual(next.rollout.target, begun!.begun);
        assert.deepStrictEqual(next.rollout.canary?.nodes, ["two"]);
        assert.deepStrictEqual([two, three].map(moved), [30, 0]);
        yield* answerTo(two, { op: "rollback", to: null, accept: null, ...who });
        const back = yield* statusUntil(two, "it is back", ({ last }) => last?.result === "rolledBack");
        yield* statusUntil(two, "all serve what they had", ({ inForce, nodes }) =>
          nodes.filter(({ node }) => node !== "one").every(({ serves }) => serves?.hash === inForce?.hash),
        );
        assert.strictEqual(back.last!.reason, "a test");
        assert.deepStrictEqual([two, three].map(moved), [0, 0]);
      }).pipe(Effect.scoped),
    60_000,
  );
});
