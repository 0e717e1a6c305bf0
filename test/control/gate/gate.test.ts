import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { type GateFacts, judge, type StoreAnswer } from "../../../src/control/gate/gate.ts";
import { segmentOf } from "../../../src/domain/segment-of.ts";
import { Dataset } from "../../../src/domain/dataset.ts";
import { encodeCatalogue } from "../../../src/snapshot/catalogue.ts";
import type { SnapshotEntry } from "../../../src/snapshot/segment.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { bringBack } from "../../../src/control/rollout/stage.ts";
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
      const trafficOf = (segment: number) => (segment === segmentOf("customer-2") ? 700 : 11);
      const verdict = yield* gate(next, { trafficOf });
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
        assert.strictEqual(verdict.radius.jobs.removed, lost, "and they are shown as going");
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
      const read = { ...manifest, catalogue: { ...manifest.catalogue, hash: "another" } };
      const reread = yield* gate({ ...rollback, manifest: read }, { previous: bad, rollbackOf: previous });
      assert.include(rulesOf(reread), "notARollback", "the catalogue is content too");
      const mixed = { ...rollback, manifest: { ...manifest, segments: bad.manifest.segments } };
      assert.include(rulesOf(yield* gate(mixed, { previous: bad, rollbackOf: previous })), "notARollback");
    }),
  );

  const noChanges = { added: 0, removed: 0, disabled: 0, enabled: 0, restored: 0, redirected: 0, edited: 0 };

  /** What is in force was made from it by these changes; what it says of going back to it. */
  const goingBack = Effect.fnUntraced(function* (
    changed: ReadonlyArray<SnapshotEntry>,
    over: Partial<GateFacts["limits"]> = {},
    first = range(200).map((i) => entry(`job-${i}`, `customer-${i}`)),
  ) {
    const snapshots = new Snapshots();
    const { snapshot: content } = yield* snapshots.next(first);
    const { snapshot: bad } = yield* snapshots.next(changed);
    const { snapshot: rollback } = bringBack(content, {
      number: 3,
      previous: 2,
      createdMillis: 1,
      author: "test",
      reason: "test",
    });
    const { gate } = yield* inForce(1);
    const facts = { previous: bad, rollbackOf: content, limits: { ...gateLimits, ...over } };
    return {
      verdict: yield* gate(rollback, facts),
      accepted: yield* gate(rollback, { ...facts, accepted: rollback.hash }),
    };
  });

  for (const [rule, { changed, counts, first, limits }] of Object.entries({
    removed: {
      changed: range(11).map((i) => entry(`new-${i}`, `new-${i}`, { revision: 9 })),
      counts: { removed: 11 },
    },
    removedOfDataset: {
      changed: range(6).map((i) => entry(`d-${i}`, "ant", { dataset: "dns", revision: 9 })),
      counts: { enabled: 0, disabled: 6 },
      first: [
        ...range(200).map((i) => entry(`job-${i}`, `customer-${i}`)),
        ...range(6).map((i) => entry(`d-${i}`, "ant", { dataset: "dns", state: "disabled" })),
        ...range(10).map((i) => entry(`on-${i}`, "ant", { dataset: "dns" })),
      ],
    },
    added: {
      changed: range(101).map((i) => at(i, { state: "removed" })),
      counts: { restored: 101 },
      // A tenth of the room that there is: (1,108 - 99) / 10.
      limits: { jobsMax: 1_108, addedPercentMax: 10 },
    },
    redirected: { changed: range(21).map((i) => at(i, { path: "/x" })), counts: { redirected: 21 } },
    empty: {
      changed: [entry("new", "new")],
      counts: { removed: 1 },
      first: [entry("off", "off", { state: "disabled" })],
    },
    headroom: {
      changed: range(5).map((i) => at(i, { state: "removed" })),
      counts: { restored: 5 },
      limits: { jobsMax: 199 },
    },
  } as Record<string, { changed: SnapshotEntry[]; counts: object; first?: SnapshotEntry[]; limits?: object }>)) {
    it.effect(`measures a rollback as it does a change: ${rule}`, () =>
      Effect.gen(function* () {
        const { accepted, verdict } = yield* goingBack(changed, limits, first);
        assert.deepStrictEqual(rulesOf(verdict), [rule]);
        const { jobs } = verdict.radius;
        assert.deepStrictEqual({ ...jobs }, { ...noChanges, ...counts });
        assert.strictEqual(accepted.passed, rule !== "headroom", "which a person can accept");
      }),
    );
  }

  it.effect("lets a rollback below the thresholds past, and in steps unless it is small", () =>
    Effect.gen(function* () {
      const below = yield* goingBack(range(10).map((i) => entry(`new-${i}`, `new-${i}`)));
      assert.isTrue(below.verdict.passed && !below.verdict.small, JSON.stringify(below.verdict));
      const one = yield* goingBack([at(0, { path: "/x" })]);
      assert.isTrue(one.verdict.passed && one.verdict.small);
      // Of one customer, and many.
      const jobs = range(200).map((i) => entry(`ant-${i}`, "ant"));
      const edited = jobs.map((job) => ({ ...entry(job.id, "ant", { path: "/x" }), revision: 9 }));
      const many = yield* goingBack(edited, { redirectedPercentMax: 100 }, jobs);
      assert.deepStrictEqual([many.verdict.passed, many.verdict.small], [true, false]);
    }),
  );

  it.effect("counts what is delivered no more, not disabled jobs that are removed", () =>
    Effect.gen(function* () {
      const { gate, ordered } = yield* inForce(200);
      const disabled = yield* ordered(range(10).map((i) => at(i, { state: "disabled" })));
      const removed = yield* ordered(range(16).map((i) => at(i, { revision: 10, state: "removed" })));
      const verdict = yield* gate(removed, { previous: disabled });
      assert.deepStrictEqual([rulesOf(verdict), verdict.radius.jobs.removed], [[], 16]);
    }),
  );

  it.effect("spreads the traffic of a segment over the jobs that are delivered", () =>
    Effect.gen(function* () {
      const { gate } = yield* inForce(1);
      const snapshots = new Snapshots();
      const states = ["enabled", "enabled", "disabled", "removed"] as const;
      yield* snapshots.next(states.map((state, i) => entry(`job-${i}`, "ant", { state })));
      const { snapshot: next } = yield* snapshots.next([entry("job-0", "ant", { revision: 9, path: "/x" })]);
      const verdict = yield* gate(next, { previous: snapshots.made[0]!, trafficOf: () => 800 });
      assert.deepStrictEqual(verdict.radius.bytesPerSecond, { added: 0, removed: 0, redirected: 400 });
    }),
  );

  it.effect("refuses what says of a rollback that there was none, or the other way round", () =>
    Effect.gen(function* () {
      const { gate, ordered, previous } = yield* inForce(20);
      const next = yield* ordered([at(1, { path: "/x" })]);
      const claims = (lastRollback: number) => ({ ...next, manifest: { ...next.manifest, lastRollback } });
      assert.deepStrictEqual(rulesOf(yield* gate(claims(1))), ["notARollback"]);
      const rolledBack = { ...previous, manifest: { ...previous.manifest, rollbackOf: 0 } };
      assert.deepStrictEqual(rulesOf(yield* gate(next, { previous: rolledBack })), ["notARollback"]);
      assert.deepStrictEqual(rulesOf(yield* gate(claims(1), { previous: rolledBack })), []);
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

  it.effect("does not take a store that is silent for one that has no such order", () =>
    Effect.gen(function* () {
      const { gate, ordered, store } = yield* inForce(200);
      const next = yield* ordered([at(0, { state: "removed" }), at(1, { state: "disabled" })]);
      let unanswered = 0;
      const answers = (silence: (id: string) => boolean) => (id: string) =>
        Effect.suspend(() =>
          silence(id)
            ? Effect.fail({ _tag: "StoreSilent" as const, detail: "no answer" })
            : Effect.succeed(store.get(id)),
        );
      const silent = yield* gate(next, { inStore: answers(() => true), accepted: next.hash });
      assert.deepStrictEqual(rulesOf(silent), ["storeSilent"], "it says nothing of what was ordered");
      assert.isFalse(silent.refusals[0]!.acceptable);
      assert.match(silent.refusals[0]!.message, /no answer/);
      assert.isNotEmpty(silent.refusals[0]!.jobs);
      const once = answers(() => ++unanswered === 1);
      assert.isTrue((yield* gate(next, { inStore: once })).passed, "one question that is lost is asked again");
    }),
  );

  it.effect("asks for a wave of removals in parallel", () =>
    Effect.gen(function* () {
      const { gate, ordered, store } = yield* inForce(200);
      const next = yield* ordered(range(10).map((i) => at(i, { state: "removed" })));
      let most = 0;
      let open = 0;
      const inStore = (id: string) =>
        Effect.sync(() => (most = Math.max(most, ++open))).pipe(
          Effect.andThen(Effect.yieldNow),
          Effect.andThen(
            Effect.sync(() => {
              open -= 1;
              return store.get(id);
            }),
          ),
        );
      assert.isTrue((yield* gate(next, { inStore })).passed);
      assert.strictEqual(most, 10);
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

  it.effect("refuses a dataset that is read by a field which is none of its own, and nobody can accept it", () =>
    Effect.gen(function* () {
      const fields = { Time: { type: "timestamp", description: "" } };
      const bad = encodeCatalogue([dataset(), dataset({ name: "unused", fields })]);
      const verdict = yield* judgeCatalogue(bad, { accepted: true });
      assert.deepStrictEqual(rulesOf(verdict), ["unknownField"]);
      assert.match(verdict.refusals[0]!.message, /unused .* Customer \(its customerField\)/);
      const good = dataset({ name: "unused", customerField: "Time", timestampField: "Time", fields });
      assert.deepStrictEqual(rulesOf(yield* judgeCatalogue(encodeCatalogue([dataset(), good]))), []);
    }),
  );

  it.effect("shows the fields that a dataset in use loses", () =>
    Effect.gen(function* () {
      const field = { type: "string", description: "" };
      const snapshots = new Snapshots();
      const of = (fields: object) =>
        encodeCatalogue([dataset({ fields }), dataset({ name: "unused", fields })] as never);
      const all = of({ Customer: field, Host: field, Path: field });
      const { snapshot: previous } = yield* snapshots.next([entry("job", "customer")], { catalogue: all });
      const { snapshot: next } = yield* snapshots.next([], { catalogue: of({ Customer: field, Path: field }) });
      const { facts } = yield* inForce(1);
      const verdict = yield* judge(next, { ...facts, previous });
      assert.deepStrictEqual(
        [verdict.passed, verdict.radius.catalogue.fieldsGone],
        [true, [{ dataset: "http_requests", enabled: 1, fields: ["Host"] }]],
      );
    }),
  );

  it.effect("judges going back to how records were read like any change of it", () =>
    Effect.gen(function* () {
      const snapshots = new Snapshots();
      const content = yield* snapshots.next([entry("job", "customer")], { catalogue: encodeCatalogue([dataset()]) });
      const other = encodeCatalogue([dataset({ customerField: "Other" })]);
      const { snapshot: previous } = yield* snapshots.next([], { catalogue: other });
      const rest = { number: 3, previous: 2, createdMillis: 1, author: "", reason: "" };
      const { snapshot: rollback } = bringBack(content.snapshot, rest);
      const { facts } = yield* inForce(1);
      const back = { ...facts, previous, rollbackOf: content.snapshot };
      assert.deepStrictEqual(rulesOf(yield* judge(rollback, back)), ["datasetInUse"]);
      assert.isTrue((yield* judge(rollback, { ...back, accepted: rollback.hash })).passed);
    }),
  );

  it.effect("refuses what is no catalogue, and nobody can accept it", () =>
    Effect.gen(function* () {
      for (const content of ["", "[{}]", '{"name":"a"}']) {
        const verdict = yield* judgeCatalogue(Buffer.from(content), { accepted: true });
        assert.deepStrictEqual(rulesOf(verdict), ["catalogueDamaged"], content);
      }
    }),
  );
});
