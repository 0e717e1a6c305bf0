import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer, Schedule } from "effect";
import { noFaults } from "../../src/control/rollout/control-options.ts";
import type { ConfigPlan, ConfigStatus, RolloutRecord } from "../../src/domain/config-report.ts";
import { Dataset } from "../../src/domain/dataset.ts";
import { DatasetName } from "../../src/domain/ids.ts";
import { segmentOf } from "../../src/domain/segment-of.ts";
import { servedDatasets } from "../../src/node/served-datasets.ts";
import { deliveryPulse } from "../../src/observability/delivery-pulse.ts";
import { askControl } from "../../src/streams/config-messages.ts";
import { Nats } from "../../src/streams/nats.ts";
import {
  ask,
  customers,
  elsewhere,
  inForce,
  pathOf,
  planUntil,
  putAll,
  startNode,
  statusUntil,
} from "../support/config-nodes.ts";
import { catalogueOf, job, server, temporaryDirectory } from "../support/job-nodes.ts";

const who = { who: "test", why: "a test" };

/** A tenth, half, all; each step is watched for some seconds. */
const inSteps = { rolloutCanaryPercent: 10, rolloutWatchMillis: 2_500, redirectedPercentMax: 100 };

describe("a rollout", () => {
  it.live(
    "goes to a share of the customers first, then in steps to all, on every node, and its numbers rise",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* startNode(url, { name: "one", limits: inSteps });
        const two = yield* startNode(url, { name: "two", limits: inSteps, controls: false });
        yield* putAll(one, customers(60));
        yield* inForce(one, 60);
        const numbers: Array<number> = [];
        yield* two.jobs.onChange(({ number }) => Effect.sync(() => void numbers.push(number)));
        yield* putAll(one, customers(60), elsewhere);
        const canary = yield* statusUntil(one, "a canary is watched", ({ rollout }) => rollout.state === "watching");
        assert.strictEqual(canary.rollout.percent, 10);
        for (const node of [one, two]) {
          for (const customer of customers(60)) {
            const isCanary = segmentOf(customer) < 103;
            assert.strictEqual(pathOf(node, customer), isCanary ? "/elsewhere" : `/out/j-${customer}`, customer);
          }
        }
        const done = yield* statusUntil(
          one,
          "all have it",
          ({ last, rollout }) => rollout.state === "idle" && last?.number === canary.rollout.target?.number,
          25_000,
        );
        assert.strictEqual(done.last?.result, "complete");
        assert.deepStrictEqual(new Set(customers(60).map((name) => pathOf(two, name))), new Set(["/elsewhere"]));
        assert.deepStrictEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
        assert.strictEqual(new Set(numbers).size, numbers.length);
        assert.deepStrictEqual(
          done.nodes.map(({ node, serves }) => [node, serves?.hash]),
          [
            ["one", done.inForce?.hash],
            ["two", done.inForce?.hash],
          ],
        );
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "goes back by itself when a node refuses it, freezes, and goes on when a person says so",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* startNode(url, {
          name: "one",
          limits: { ...inSteps, removedPercentMax: 100, removedDatasetPercentMax: 100 },
        });
        const strict = { ...inSteps, servedRemovedPercentMax: 1, smallChangeJobsMax: 1 };
        const two = yield* startNode(url, { name: "two", limits: strict, controls: false });
        yield* putAll(one, customers(60));
        const before = yield* inForce(one, 60);
        yield* putAll(one, customers(60).slice(0, 40), { enabled: false });
        const back = yield* statusUntil(one, "it is rolled back", ({ last }) => last?.result === "rolledBack", 25_000);
        assert.match(back.last!.reason, /two refuses it \(shrunk\)/);
        assert.strictEqual(back.frozen?.who, "spillway");
        assert.isAbove(back.inForce!.number, before.inForce!.number);
        yield* statusUntil(one, "all serve it", ({ nodes }) =>
          nodes.every(({ serves }) => serves?.number === back.inForce!.number),
        );
        for (const node of [one, two]) assert.strictEqual(node.jobs.served().pairs.size, 60);
        assert.strictEqual((yield* ask(one, { op: "status" })).pending, 40, "what the store has is known all the same");
        // Frozen, nothing else goes out either.
        yield* putAll(one, ["late"]);
        yield* statusUntil(one, "the late one is seen", ({ pending }) => pending === 41);
        assert.isUndefined(one.jobs.served().byId.get("j-late"));
        yield* putAll(one, customers(60).slice(0, 40));
        yield* planUntil(one, "none is to be disabled", ({ verdict }) => verdict?.radius.jobs.disabled === 0);
        yield* ask(one, { op: "unfreeze", ...who });
        yield* inForce(one, 61);
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "is gone on with by another control process when the one that led is gone",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const slow = { ...inSteps, rolloutWatchMillis: 4_000 };
        const one = yield* startNode(url, { name: "one", limits: slow });
        const two = yield* startNode(url, { name: "two", limits: slow });
        yield* putAll(two, customers(40));
        yield* inForce(two, 40);
        yield* putAll(two, customers(40), elsewhere);
        const watched = yield* statusUntil(two, "a canary", ({ rollout }) => rollout.state === "watching");
        assert.strictEqual(watched.leader, "one");
        yield* one.end;
        const done = yield* statusUntil(
          two,
          "another one has led it to its end",
          ({ last, leader }) => leader === "two" && last?.number === watched.rollout.target?.number,
          40_000,
        );
        assert.strictEqual(done.last?.result, "complete");
        assert.deepStrictEqual(new Set(customers(40).map((name) => pathOf(two, name))), new Set(["/elsewhere"]));
      }).pipe(Effect.scoped),
    80_000,
  );

  it.live(
    "begins not at all for what the gate refuses, until a person accepts exactly that",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* startNode(url, { name: "one" });
        yield* putAll(one, customers(60));
        yield* inForce(one, 60);
        yield* putAll(one, customers(60).slice(0, 30), { enabled: false });
        const refused = yield* statusUntil(one, "it is refused", ({ refusal }) => refusal !== null);
        assert.deepStrictEqual(refused.refusal?.refusals.map(({ rule }) => rule).toSorted(), [
          "removed",
          "removedOfDataset",
        ]);
        assert.strictEqual(one.jobs.served().pairs.size, 60);
        const plan = yield* ask<ConfigPlan>(one, { op: "plan" });
        assert.strictEqual(plan.verdict?.snapshot, refused.refusal?.snapshot);
        assert.strictEqual(plan.verdict?.radius.jobs.disabled, 30);
        assert.lengthOf(plan.diff.changes, 30);
        const wrong = yield* one.run(askControl({ op: "apply", accept: "f".repeat(64), ...who }));
        assert.property(wrong, "conflict");
        yield* ask(one, { op: "apply", accept: plan.verdict!.snapshot, ...who });
        yield* inForce(one, 60);
        assert.strictEqual(one.jobs.served().pairs.size, 30);
        const history = yield* ask<ReadonlyArray<RolloutRecord>>(one, { op: "history", limit: 10 });
        assert.deepStrictEqual(history[0]?.verdict?.accepted.toSorted(), ["removed", "removedOfDataset"]);
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "never begins for a generator that drops jobs, be it all or 4 %",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        let dropped = 0;
        const faults = {
          ...noFaults,
          armed: () => (dropped > 0 ? `drops ${dropped}` : ""),
          // Read more than once.
          changed: (entries: Parameters<typeof noFaults.changed>[0]) => ({
            *[Symbol.iterator]() {
              yield* entries;
              const state = "removed" as const;
              const rest = { state, revision: 9_999, dataset: "http_requests", data: Buffer.of() };
              for (const customer of customers(dropped)) yield { id: `j-${customer}`, customer, ...rest };
            },
          }),
        };
        const one = yield* startNode(url, { name: "one", faults });
        yield* putAll(one, customers(50));
        yield* inForce(one, 50);
        for (const count of [2, 50]) {
          dropped = count;
          const rules = yield* statusUntil(
            one,
            `${count} dropped`,
            ({ refusal }) => refusal?.radius.jobs.removed === count,
          );
          assert.include(
            (rules.refusal?.refusals ?? []).map(({ acceptable, rule }) => `${rule} ${acceptable}`),
            "unexplained false",
          );
          const accepted = yield* one.run(askControl({ op: "apply", accept: rules.refusal!.snapshot, ...who }));
          assert.property(accepted, "done");
          assert.strictEqual(one.jobs.served().pairs.size, 50, "no person can accept what nothing explains");
        }
        dropped = 0;
        yield* putAll(one, ["next"]);
        yield* inForce(one, 51);
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "back is a rollout of an earlier content, through the gates, and freezes what would undo it",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* startNode(url, { name: "one", limits: { redirectedPercentMax: 100 } });
        yield* putAll(one, customers(30));
        const first = yield* inForce(one, 30);
        yield* putAll(one, customers(30), elsewhere);
        const second = yield* statusUntil(
          one,
          "it is in force",
          // One that is on its way would be taken back, instead of the one before being brought back.
          ({ inForce: now, pending, rollout }) =>
            pending === 0 && rollout.state === "idle" && now!.number > first.inForce!.number,
        );
        yield* ask(one, { op: "rollback", to: first.inForce!.number, accept: null, ...who });
        const back = yield* statusUntil(one, "it is back", ({ last }) => last?.rollbackOf === first.inForce!.number);
        assert.strictEqual(back.last?.result, "complete");
        assert.isAbove(back.inForce!.number, second.inForce!.number);
        assert.strictEqual(pathOf(one, "c3"), "/out/j-c3");
        assert.strictEqual(back.frozen?.who, "test");
        yield* statusUntil(one, "what is stored differs again", ({ pending }) => pending === 30);
        const gone = yield* one.run(askControl({ op: "rollback", to: 4_711, accept: null, ...who }));
        assert.deepStrictEqual(gone, { notFound: 4_711 });
        yield* ask(one, { op: "unfreeze", ...who });
        yield* statusUntil(one, "the store's is in force", () => pathOf(one, "c3") === "/elsewhere");
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "back that would stop many is refused like a change, and can be accepted while something else is refused",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* startNode(url, { name: "one", limits: { redirectedPercentMax: 100 } });
        yield* putAll(one, customers(30));
        const first = yield* inForce(one, 30);
        yield* putAll(one, customers(60).slice(30));
        const second = yield* inForce(one, 60);
        // Waits to be accepted, and is judged again whenever anything happens.
        yield* putAll(one, customers(30), { enabled: false });
        yield* statusUntil(one, "it is refused", ({ refusal }) => refusal !== null);
        const to = first.inForce!.number;
        const asked = yield* ask(one, { op: "rollback", to, accept: null, ...who });
        assert.deepStrictEqual(asked.last?.verdict?.refusals.map(({ rule }) => rule).toSorted(), [
          "removed",
          "removedOfDataset",
        ]);
        assert.deepInclude(asked.last?.verdict?.radius.jobs, { removed: 30 });
        assert.strictEqual(asked.inForce?.number, second.inForce?.number);
        yield* statusUntil(one, "the other is refused again", ({ refusal }) => refusal?.radius.jobs.disabled === 30);
        const accept = asked.last!.hash;
        yield* ask(one, { op: "rollback", to, accept, ...who });
        const back = yield* statusUntil(one, "it is back", ({ last }) => last?.result === "complete");
        assert.deepStrictEqual([back.last?.rollbackOf, back.last?.hash, back.inForce?.jobs], [to, accept, 30]);
      }).pipe(Effect.scoped),
    60_000,
  );

  it.live(
    "that is over is served by a node that starts without the store of configurations, and told to others",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const dataDirectory = yield* temporaryDirectory;
        const one = yield* startNode(url, { name: "one", dataDirectory });
        yield* putAll(one, customers(20));
        yield* inForce(one, 20);
        // The copy on disk follows what is served.
        yield* Effect.sleep(500);
        yield* one.end;
        yield* Effect.scoped(
          Effect.gen(function* () {
            const bare = yield* Layer.build(Nats.layer({ servers: url, name: "vandal" }));
            const { control } = Context.get(bare, Nats);
            yield* Effect.promise(() => control.request("$JS.API.STREAM.DELETE.CONFIG", ""));
            yield* Effect.promise(() => control.request("$JS.API.STREAM.DELETE.KV_jobs", ""));
          }),
        );
        const again = yield* startNode(url, { name: "one", dataDirectory });
        assert.strictEqual(again.jobs.served().pairs.size, 20, "at once, from its own disk");
        const fresh = yield* startNode(url, { name: "two", controls: false });
        yield* statusUntil(again, "the other serves it, too", ({ nodes }) =>
          nodes.some(({ node, serves }) => node === "two" && serves !== null),
        );
        assert.strictEqual(fresh.jobs.served().pairs.size, 20);
      }).pipe(Effect.scoped),
    60_000,
  );
});

describe("the catalogue of datasets", () => {
  const audit = Dataset.make({ name: DatasetName.make("audit"), customerField: "Account", fields: {} });

  it.live(
    "is rolled out like push jobs: an entry reaches the doors last, and one in use is not taken away unasked",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        let files = catalogueOf();
        const controls = yield* startNode(url, { name: "one", limits: inSteps, catalogue: () => files });
        const other = yield* startNode(url, { name: "two", limits: inSteps, controls: false });
        const doors = [controls, other].map(({ configuration }) => servedDatasets(configuration.serving));
        const known = () => doors.map((door) => door.get("audit")?.customerField);
        yield* putAll(controls, customers(20), { dataset: "audit" });
        yield* inForce(controls, 20);
        assert.deepStrictEqual(known(), [undefined, undefined]);
        files = catalogueOf(audit);
        yield* statusUntil(controls, "a canary is watched", ({ rollout }) => rollout.state === "watching");
        assert.deepStrictEqual(known(), [undefined, undefined], "it is nobody's share");
        const isDone = ({ inForce: now, rollout }: ConfigStatus) => rollout.state === "idle" && (now?.number ?? 0) > 1;
        const { inForce: added } = yield* statusUntil(controls, "it is in force", isDone, 30_000);
        assert.deepStrictEqual(known(), ["Account", "Account"]);

        files = catalogueOf({ ...audit, customerField: "Somebody" });
        const { verdict } = yield* planUntil(controls, "the gate says something", (plan) => plan.verdict !== null);
        assert.deepStrictEqual(verdict?.radius.catalogue, { added: [], removed: [], changed: ["audit"] });
        assert.deepStrictEqual(
          verdict?.refusals.map(({ rule }) => rule),
          ["datasetInUse"],
        );
        assert.strictEqual((yield* ask(controls, { op: "status" })).inForce?.number, added?.number);
        assert.deepStrictEqual(known(), ["Account", "Account"]);
      }).pipe(Effect.scoped),
    60_000,
  );
});

describe("the blast radius", () => {
  it.live(
    "tells of how many bytes a second are delivered elsewhere, from what nodes delivered lately",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server;
        const one = yield* startNode(url, { name: "one", limits: { ...inSteps, redirectedPercentMax: 1 } });
        yield* putAll(one, customers(60));
        yield* inForce(one, 60);
        yield* putAll(one, customers(60), elsewhere);
        const measured = ask<ConfigPlan>(one, { op: "plan" }).pipe(
          Effect.tap(() =>
            Effect.sync(() =>
              deliveryPulse.note(job("j-c7", { customer: "c7" }), true, { records: 1_000, bytes: 1_000_000 }),
            ),
          ),
          Effect.repeat({
            until: ({ verdict }) => (verdict?.radius.bytesPerSecond?.redirected ?? 0) > 1_000,
            schedule: Schedule.spaced("100 millis"),
            times: 200,
          }),
        );
        const { verdict } = yield* measured;
        assert.isAbove(verdict?.radius.bytesPerSecond?.redirected ?? 0, 1_000);
        assert.strictEqual(verdict?.radius.bytesPerSecond?.removed, 0);
      }).pipe(Effect.scoped),
    40_000,
  );
});
