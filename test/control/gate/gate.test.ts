import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { type GateFacts, judge, type StoreAnswer } from "../../../src/control/gate/gate.ts";
import { Dataset } from "../../../src/domain/dataset.ts";
import { encodeCatalogue } from "../../../src/snapshot/catalogue.ts";
import type { SnapshotEntry } from "../../../src/snapshot/segment.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { entry, gateLimits, Snapshots } from "../../snapshot/snapshot-fixture.ts";

/** So many jobs of so many customers in force, and a job store that knows what was ordered. */
const inForce = Effect.fnUntraced(function* (count: number) {
  const snapshots = new Snapshots();
  const jobs = Array.from({ length: count }, (_, i) => entry(`job-${i}`, `customer-${i}`));
  const { snapshot: previous } = yield* snapshots.next(jobs);
  const store = new Map<string, StoreAnswer>();
  const facts: GateFacts = {
    cell: "here",
    limits: gateLimits,
    previous,
    rollbackOf: undefined,
    inStore: (id) => Effect.succeed(store.get(id)),
    pending: { isPending: () => true, pendingUpTo: () => 0 },
    trafficOf: () => undefined,
    problemOf: () => undefined,
    accepted: undefined,
  };
  const gate = (next: Snapshot, over: Partial<GateFacts> = {}) => judge(next, { ...facts, ...over });
  /** A snapshot of these changes, each of them ordered in the store. */
  const ordered = (changed: ReadonlyArray<SnapshotEntry>) => {
    for (const { id, revision, state } of changed) store.set(id, { revision, state });
    return snapshots.next(changed).pipe(Effect.map(({ snapshot }) => snapshot));
  };
  return { facts, gate, jobs, ordered, previous, snapshots, store };
});

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const at = (i: number, over: Parameters<typeof entry>[2]) =>
  entry(`job-${i}`, `customer-${i}`, { revision: 9, ...over });
const rulesOf = ({ refusals }: { readonly refusals: ReadonlyArray<{ readonly rule: string }> }) =>
  refusals.map(({ rule }) => rule);

describe("the gate", () => {
  it.effect("lets an ordinary change past and says what it would do", () =>
    Effect.gen(function* () {
      const { gate, ordered } = yield* inForce(200);
      const next = yield* ordered([
        at(0, { state: "removed" }),
        at(1, { state: "disabled" }),
        at(2, { path: "/elsewhere" }),
        entry("new", "newcomer"),
      ]);
      const verdict = yield* gate(next, { trafficOf: (pair) => (pair.startsWith("customer-2.") ? 700 : 11) });
      assert.isTrue(verdict.passed, JSON.stringify(verdict.refusals));
      assert.isFalse(verdict.small, "of four customers");
      assert.deepStrictEqual(verdict.radius.jobs, {
        added: 1,
        removed: 1,
        disabled: 1,
        enabled: 0,
        restored: 0,
        redirected: 1,
        edited: 0,
      });
      assert.deepStrictEqual(verdict.radius.buffers, { before: 200, after: 199 });
      assert.deepStrictEqual(verdict.radius.customers, { before: 200, after: 200, touched: 4 });
      assert.deepStrictEqual(verdict.radius.bytesPerSecond, { added: 11, removed: 22, redirected: 700 });
      const one = yield* gate(yield* ordered([at(3, { path: "/elsewhere" })]), { previous: next });
      assert.isTrue(one.passed && one.small, JSON.stringify(one));
    }),
  );

  it.effect("refuses a removal that nobody ordered, be it of all, of 4 % or of one", () =>
    Effect.gen(function* () {
      const { gate, jobs, snapshots, store } = yield* inForce(200);
      // The generator lost them: they are in no segment any more.
      for (const lost of [200, 8, 1]) {
        const { snapshot } = yield* new Snapshots().next(jobs.slice(lost), { number: 2 });
        const next = { ...snapshot, manifest: { ...snapshot.manifest, previous: 1 } };
        const verdict = yield* gate(next);
        assert.include(rulesOf(verdict), "unexplained", `${lost}`);
        assert.isFalse(verdict.refusals.find(({ rule }) => rule === "unexplained")!.acceptable);
        assert.include(rulesOf(yield* gate(next, { accepted: next.hash })), "unexplained", "and nobody can accept it");
      }
      // It claims an order that the store knows nothing of, or that says something else.
      const { snapshot } = yield* snapshots.next([at(5, { state: "removed" })]);
      assert.include(rulesOf(yield* gate(snapshot)), "unexplained");
      store.set("job-5", { revision: 9, state: "enabled" });
      assert.include(rulesOf(yield* gate(snapshot)), "unexplained");
      store.set("job-5", { revision: 8, state: "removed" });
      assert.include(rulesOf(yield* gate(snapshot)), "unexplained", "an order of an earlier job of that name");
      const silent = () => Effect.fail({ _tag: "StoreSilent" as const, detail: "no answer" });
      assert.include(rulesOf(yield* gate(snapshot, { inStore: silent })), "unexplained");
      store.set("job-5", { revision: 9, state: "removed" });
      assert.isTrue((yield* gate(snapshot)).passed);
      store.set("job-5", { revision: 12, state: "enabled" });
      assert.isTrue((yield* gate(snapshot)).passed, "it was ordered, and taken back since");
    }),
  );

  it.effect("refuses an empty snapshot, also one in which every removal was ordered", () =>
    Effect.gen(function* () {
      const { gate, jobs, ordered } = yield* inForce(3);
      const next = yield* ordered(
        jobs.map((job) => ({ ...job, state: "removed", revision: 9, data: Buffer.alloc(0) })),
      );
      assert.deepStrictEqual(rulesOf(yield* gate(next)), ["empty"]);
      const accepted = yield* gate(next, { accepted: next.hash });
      assert.isTrue(accepted.passed);
      assert.deepStrictEqual(accepted.accepted, ["empty"]);
      assert.isFalse((yield* gate(next, { accepted: "another" })).passed, "only exactly this one");
      const { snapshot } = yield* new Snapshots().next([]);
      assert.deepStrictEqual(rulesOf(yield* gate(snapshot, { previous: undefined })), ["empty"], "nor as the first");
    }),
  );

  it.effect("refuses too much at once, of all and of one dataset, until a person accepts exactly that", () =>
    Effect.gen(function* () {
      const { gate, ordered, previous } = yield* inForce(200);
      const removed = yield* ordered(range(11).map((i) => at(i, { state: "removed" })));
      const verdict = yield* gate(removed);
      assert.deepStrictEqual(rulesOf(verdict), ["removed"]);
      assert.match(verdict.refusals[0]!.message, /11 of 200 jobs .* 5\.5 %, 5 % is the limit/);
      assert.lengthOf(verdict.refusals[0]!.jobs, 10);
      assert.isTrue((yield* gate(removed, { accepted: removed.hash })).passed);
      const fresh = yield* inForce(200);
      const redirected = yield* fresh.ordered(range(21).map((i) => at(i, { path: "/x" })));
      assert.deepStrictEqual(rulesOf(yield* fresh.gate(redirected)), ["redirected"]);
      const third = yield* inForce(200);
      const added = yield* third.ordered(range(101).map((i) => entry(`new-${i}`, `new-${i}`)));
      // A tenth of the room that there is: (1,210 - 200) / 10.
      const room = { ...gateLimits, jobsMax: 1_210, addedPercentMax: 10 };
      assert.deepStrictEqual(rulesOf(yield* third.gate(added, { limits: { ...room, jobsMax: 1_209 } })), ["added"]);
      assert.deepStrictEqual(rulesOf(yield* third.gate(added, { limits: room })), []);
      const tight = { ...gateLimits, jobsMax: 250 };
      assert.include(rulesOf(yield* third.gate(added, { limits: tight, accepted: added.hash })), "headroom");
      const narrow = { ...gateLimits, addedPercentMax: 100, segmentBytesMax: 300 };
      assert.deepStrictEqual(rulesOf(yield* third.gate(added, { limits: narrow, accepted: added.hash })), ["headroom"]);
      const dns = new Snapshots();
      const jobs = [
        ...range(200).map((i) => entry(`h-${i}`, "ant")),
        ...range(20).map((i) => entry(`d-${i}`, "ant", { dataset: "dns" })),
      ];
      const base = (yield* dns.next(jobs)).snapshot;
      const stopped = range(6).map((i) => entry(`d-${i}`, "ant", { dataset: "dns", state: "disabled", revision: 9 }));
      const { snapshot } = yield* dns.next(stopped);
      const inStore = () => Effect.succeed({ revision: 9, state: "disabled" as const });
      assert.deepStrictEqual(rulesOf(yield* gate(snapshot, { previous: base, inStore })), ["removedOfDataset"]);
      assert.strictEqual(previous.manifest.number, 1);
    }),
  );

  it.effect("refuses what is damaged, of another cell, stale, forged or back in time", () =>
    Effect.gen(function* () {
      const { gate, ordered, previous, snapshots } = yield* inForce(20);
      const next = yield* ordered([at(1, { path: "/x" })]);
      assert.include(rulesOf(yield* gate({ ...next, blob: () => undefined })), "damaged");
      assert.include(rulesOf(yield* gate({ ...next, manifest: { ...next.manifest, cell: "there" } })), "otherCell");
      assert.include(rulesOf(yield* gate({ ...next, manifest: { ...next.manifest, previous: 0 } })), "stale");
      assert.include(rulesOf(yield* gate({ ...next, manifest: { ...next.manifest, number: 1 } })), "stale");
      const forged = (yield* new Snapshots().next([entry("job-1", "customer-1", { path: "/forged" })])).snapshot;
      const as = (snapshot: Snapshot): Snapshot => ({
        ...snapshot,
        manifest: { ...snapshot.manifest, number: 3, previous: previous.manifest.number },
      });
      assert.include(rulesOf(yield* gate(as(forged))), "revisionReused");
      const older = (yield* snapshots.next([at(1, { path: "/y", revision: 12 })])).snapshot;
      const back = (yield* snapshots.next([at(1, { path: "/x", revision: 9 })])).snapshot;
      assert.include(rulesOf(yield* gate(back, { previous: older })), "backInTime");
    }),
  );

  it.effect("refuses an id that would be jobs of two customers, and lets one past that was given away", () =>
    Effect.gen(function* () {
      const { gate, ordered } = yield* inForce(20);
      const servedPair = (id: string) => (id === "job-1" ? "customer-1.http_requests" : undefined);
      const others = entry("job-1", "newcomer", { revision: 9 });
      const verdict = yield* gate(yield* ordered([others]), { servedPair });
      assert.deepStrictEqual([rulesOf(verdict), verdict.refusals[0]!.jobs], [["idTwice"], ["job-1"]]);
      const { ordered: orderedToo } = yield* inForce(20);
      const both = yield* orderedToo([entry("new", "newcomer"), entry("new", "stranger")]);
      assert.include(rulesOf(yield* gate(both, { servedPair })), "idTwice");
      const { gate: other, ordered: orderedThere } = yield* inForce(20);
      const given = yield* orderedThere([at(1, { revision: 8, state: "removed" }), others]);
      assert.notInclude(rulesOf(yield* other(given, { servedPair })), "idTwice");
    }),
  );

  it.effect("lets a rollback past that is exactly an earlier content, and no other", () =>
    Effect.gen(function* () {
      const { gate, ordered, previous } = yield* inForce(200);
      const bad = yield* ordered(range(8).map((i) => entry(`bad-${i}`, `bad-${i}`)));
      const manifest = { ...previous.manifest, number: 3, previous: 2, rollbackOf: 1 };
      const rollback: Snapshot = { ...previous, manifest, hash: "r" };
      const verdict = yield* gate(rollback, { previous: bad, rollbackOf: previous });
      assert.isTrue(verdict.passed, JSON.stringify(verdict.refusals));
      assert.deepStrictEqual(rulesOf(yield* gate(rollback, { previous: bad })).includes("unexplained"), true);
      const mixed = { ...rollback, manifest: { ...manifest, segments: bad.manifest.segments } };
      assert.include(rulesOf(yield* gate(mixed, { previous: bad, rollbackOf: previous })), "notARollback");
    }),
  );

  it.effect("refuses a job that cannot be served, and names it", () =>
    Effect.gen(function* () {
      const { gate, ordered } = yield* inForce(20);
      const next = yield* ordered([at(1, { path: "/x" }), at(2, { state: "disabled" })]);
      const verdict = yield* gate(next, { problemOf: ({ id }) => (id === "job-5" ? undefined : `${id} is bad`) });
      assert.deepStrictEqual(rulesOf(verdict), ["jobProblem"]);
      assert.deepStrictEqual(verdict.refusals[0]!.jobs, ["job-1"], "of what changed and is enabled");
    }),
  );
});

describe("the gate, of what the job store has", () => {
  const strange = { pending: { isPending: () => false, pendingUpTo: () => 0 } };

  it.effect("refuses jobs that nobody ordered, few as they are, and settings that nobody stored", () =>
    Effect.gen(function* () {
      const { gate, previous, snapshots } = yield* inForce(200);
      const { snapshot } = yield* snapshots.next([entry("stranger", "stranger")], { previous });
      const verdict = yield* gate(snapshot, { ...strange, accepted: snapshot.hash });
      assert.deepStrictEqual(rulesOf(verdict), ["unordered"]);
      assert.deepStrictEqual(verdict.refusals[0]!.jobs, ["stranger"]);
      // Known to the store: this node has not heard of it yet, or somebody has changed it again since.
      const known = yield* inForce(200);
      const next = yield* known.ordered([at(0, { path: "/elsewhere" })]);
      assert.deepStrictEqual(rulesOf(yield* known.gate(next, strange)), []);
      known.store.set("job-0", { revision: 9, state: "enabled", data: Buffer.from("other settings") });
      assert.deepStrictEqual(rulesOf(yield* known.gate(next, strange)), ["unordered"]);
    }),
  );

  it.effect("refuses what lacks a change that it claims to have", () =>
    Effect.gen(function* () {
      const { gate, ordered } = yield* inForce(200);
      const next = yield* ordered([at(0, { path: "/elsewhere" })]);
      const isPending = (id: string) => id === "job-0";
      assert.deepStrictEqual(rulesOf(yield* gate(next, { pending: { isPending, pendingUpTo: () => 1 } })), []);
      const lacking = yield* gate(next, { pending: { isPending, pendingUpTo: () => 2 }, accepted: next.hash });
      assert.deepStrictEqual(rulesOf(lacking), ["incomplete"]);
    }),
  );
});

describe("the gate, of the catalogue of datasets", () => {
  const dataset = (over: object = {}) =>
    Dataset.make({ name: "http_requests", customerField: "Customer", fields: {}, ...over } as never);
  const judgeCatalogue = Effect.fnUntraced(function* (catalogue: Uint8Array, over: object = {}) {
    const snapshots = new Snapshots();
    const before = encodeCatalogue([dataset(), dataset({ name: "unused" })]);
    const { snapshot: previous } = yield* snapshots.next([entry("job", "customer")], { catalogue: before });
    const { snapshot: next } = yield* snapshots.next([], { catalogue });
    const { facts } = yield* inForce(1);
    return yield* judge(next, { ...facts, previous, accepted: "accepted" in over ? next.hash : undefined });
  });

  it.effect("says what would change, and lets what nobody uses come, change and go", () =>
    Effect.gen(function* () {
      const verdict = yield* judgeCatalogue(
        encodeCatalogue([dataset({ description: "other words" }), dataset({ name: "new" })]),
      );
      assert.deepStrictEqual(rulesOf(verdict), []);
      assert.deepStrictEqual(verdict.radius.catalogue, {
        added: ["new"],
        removed: ["unused"],
        changed: ["http_requests"],
      });
      assert.isFalse(verdict.small, "it concerns everybody");
    }),
  );

  for (const [what, next] of Object.entries({
    "the field that names customers": [dataset({ customerField: "Other" })],
    "the entry of a dataset in use": [dataset({ name: "unused" })],
  })) {
    it.effect(`refuses to change ${what}, unless a person accepts it`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(rulesOf(yield* judgeCatalogue(encodeCatalogue(next))), ["datasetInUse"]);
        const verdict = yield* judgeCatalogue(encodeCatalogue(next), { accepted: true });
        assert.deepStrictEqual([verdict.passed, verdict.accepted], [true, ["datasetInUse"]]);
      }),
    );
  }

  it.effect("refuses what is no catalogue, and nobody can accept it", () =>
    Effect.gen(function* () {
      for (const content of ["", "[{}]", '{"name":"a"}']) {
        const verdict = yield* judgeCatalogue(Buffer.from(content), { accepted: true });
        assert.deepStrictEqual(rulesOf(verdict), ["catalogueDamaged"], content);
      }
    }),
  );
});
