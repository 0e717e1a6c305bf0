import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { segmentOf } from "../../src/domain/segment-of.ts";
import { admit, type ServingFacts } from "../../src/serving/serving-gate.ts";
import { Dataset } from "../../src/domain/dataset.ts";
import { encodeCatalogue } from "../../src/snapshot/catalogue.ts";
import { encodeSegment, type SnapshotEntry } from "../../src/snapshot/segment.ts";
import { largestOf } from "../../src/snapshot/manifest.ts";
import { encodeRemoval } from "../../src/snapshot/removal.ts";
import type { Snapshot } from "../../src/snapshot/snapshot.ts";
import { entry, Snapshots } from "../snapshot/snapshot-fixture.ts";

const facts: ServingFacts = {
  limits: {
    jobsMax: 1_000_000,
    snapshotBytesMax: 100_000_000,
    segmentBytesMax: 67_108_864,
    servedRemovedPercentMax: 10,
    smallChangeJobsMax: 5,
    clockSkewMillisMax: 60_000,
  },
  current: undefined,
  cell: "here",
  isAccepted: false,
  past: new Map(),
  isJob: ({ data }) => data.length > 0,
  nowMillis: 1_000_000,
};

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const at = (i: number, over: Parameters<typeof entry>[2] = {}) => entry(`job-${i}`, `customer-${i}`, over);
const ids = (entries: ReadonlyArray<{ readonly id: string }>) => entries.map(({ id }) => id).toSorted();

/** 100 jobs that are served, and what comes next. */
const served = Effect.gen(function* () {
  const snapshots = new Snapshots();
  const { snapshot: current } = yield* snapshots.next(range(100).map((i) => at(i)));
  const next = (changed: ReadonlyArray<SnapshotEntry>) =>
    snapshots.next(changed, { previous: current, number: 2 }).pipe(Effect.map(({ snapshot }) => snapshot));
  const ask = (snapshot: Snapshot, over: Partial<ServingFacts> = {}) => admit(snapshot, { ...facts, current, ...over });
  const ruleOf = (snapshot: Snapshot, over: Partial<ServingFacts> = {}) =>
    ask(snapshot, over).pipe(Effect.match({ onSuccess: () => "admitted", onFailure: ({ rule }) => rule as string }));
  return { ask, current, next, ruleOf, snapshots };
});

const withManifest = (snapshot: Snapshot, over: Partial<Snapshot["manifest"]>): Snapshot => ({
  ...snapshot,
  manifest: { ...snapshot.manifest, ...over },
});

/** With one segment replaced by another content, under that one's own name. */
const withSegment = (snapshot: Snapshot, segment: number, entries: ReadonlyArray<SnapshotEntry>): Snapshot => {
  const forged = encodeSegment(entries);
  const segments = snapshot.manifest.segments.with(segment, {
    hash: forged.hash,
    bytes: forged.bytes,
    entries: forged.entries,
  });
  return {
    ...withManifest(snapshot, { segments }),
    blob: (hash) => (hash === forged.hash ? forged.stored : snapshot.blob(hash)),
  };
};

describe("the serving gate", () => {
  it.effect("says what has to be done to serve a snapshot, of what differs only", () =>
    Effect.gen(function* () {
      const { ask, current, next } = yield* served;
      const first = yield* admit(current, facts);
      assert.deepStrictEqual([ids(first.put), first.removed], [ids(range(100).map((i) => at(i))), []]);
      const changes = [
        at(1, { revision: 2, path: "/x" }),
        at(2, { revision: 3, state: "removed" }),
        at(3, { revision: 4, state: "disabled" }),
        entry("new", "customer-1", { revision: 5 }),
      ];
      const adoption = yield* ask(yield* next(changes));
      assert.deepStrictEqual(ids(adoption.put), ["job-1", "job-3", "new"]);
      assert.deepStrictEqual(
        adoption.removed.map(({ id, revision }) => [id, revision]),
        [["job-2", 3]],
      );
    }),
  );

  it.effect("refuses each thing that may be wrong with one, under a word of its own", () =>
    Effect.gen(function* () {
      const { current, next, ruleOf, snapshots } = yield* served;
      const good = yield* next([at(1, { revision: 2, path: "/x" })]);
      assert.strictEqual(yield* ruleOf(good), "admitted");
      const segment = segmentOf("customer-1");
      const { bytes } = good.manifest.segments[segment]!;
      const cases: ReadonlyArray<readonly [string, Snapshot, Partial<ServingFacts>?]> = [
        ["otherCell", withManifest(good, { cell: "there" })],
        ["backInTime", withManifest(good, { number: 1 })],
        ["fromTheFuture", withManifest(good, { createdMillis: 2_000_000 })],
        ["tooLarge", good, { limits: { ...facts.limits, snapshotBytesMax: bytes } }],
        ["tooLarge", good, { limits: { ...facts.limits, segmentBytesMax: largestOf(good.manifest) - 1 } }],
        ["tooLarge", good, { limits: { ...facts.limits, jobsMax: 99 } }],
        ["damaged", { ...good, blob: () => undefined }],
        ["damaged", { ...good, blob: (hash) => good.blob(hash)?.subarray(0, 20) }],
        ["wrongSegment", withSegment(good, segment, [at(1, { revision: 2 }), at(2, { revision: 2 })])],
        ["jobUndecodable", withSegment(good, segment, [at(1, { revision: 2, data: Buffer.alloc(0) })])],
        ["countsDiffer", withSegment(good, segment, [at(1, { revision: 2 }), entry("x", "customer-1")])],
        ["absentWithoutOrder", withSegment(good, segment, [])],
        ["revisionReused", withSegment(good, segment, [at(1, { path: "/y" })])],
        ["backInTime", withSegment(good, segment, [at(1, { revision: 0 })])],
      ];
      for (const [rule, snapshot, over] of cases) assert.strictEqual(yield* ruleOf(snapshot, over), rule);
      const { snapshot: none } = yield* new Snapshots().next([], { number: 2 });
      assert.strictEqual(yield* ruleOf(none), "empty");
      assert.strictEqual(yield* ruleOf(none, { current: undefined }), "empty", "nor as the first one");
      assert.strictEqual(yield* ruleOf(none, { isAccepted: true }), "absentWithoutOrder", "accepted or not");
      assert.strictEqual(yield* ruleOf(current, { current: undefined }), "admitted");
      assert.isAbove(snapshots.made.length, 1);
    }),
  );

  it.effect("refuses an id that would be jobs of two customers, and lets one past that was given away", () =>
    Effect.gen(function* () {
      const { current, next, ruleOf } = yield* served;
      const servedPair = (id: string) => `customer-${id.slice("job-".length)}.http_requests`;
      const others = entry("job-1", "newcomer", { revision: 9 });
      assert.strictEqual(yield* ruleOf(yield* next([others]), { servedPair }), "idTwice");
      assert.strictEqual(
        yield* ruleOf(yield* next([others, at(1, { revision: 8, state: "removed" })]), { servedPair }),
        "admitted",
      );
      const both = [entry("new", "newcomer"), entry("new", "stranger")];
      assert.strictEqual(yield* ruleOf(yield* next(both)), "idTwice");
      const { snapshot: first } = yield* new Snapshots().next(both);
      assert.strictEqual(yield* ruleOf(first, { current: undefined }), "idTwice", "nor as the first one");
      assert.strictEqual(current.manifest.number, 1);
    }),
  );

  it.effect("refuses to lose much at once, though every removal is ordered, until that is accepted", () =>
    Effect.gen(function* () {
      const { next, ruleOf } = yield* served;
      const of = (count: number) => next(range(count).map((i) => at(i, { revision: 2, state: "removed" })));
      assert.strictEqual(yield* ruleOf(yield* of(10)), "admitted");
      const much = yield* of(11);
      assert.strictEqual(yield* ruleOf(much), "shrunk");
      assert.strictEqual(yield* ruleOf(much, { isAccepted: true }), "admitted");
    }),
  );

  it.effect("goes back only by what says that it is a rollback", () =>
    Effect.gen(function* () {
      const { ask, current, next, ruleOf } = yield* served;
      const bad = yield* next([at(1, { revision: 2, path: "/bad" }), entry("bad", "bad")]);
      const back = withManifest(current, { number: 3, previous: 2 });
      assert.include(["absentWithoutOrder", "backInTime"], yield* ruleOf(back, { current: bad }));
      const rollback = withManifest(back, { rollbackOf: 1 });
      const past = new Map([[1, current.manifest]]);
      const adoption = yield* ask(rollback, { current: bad, past });
      assert.deepStrictEqual([ids(adoption.put), adoption.removed.map(({ id }) => id)], [["job-1"], ["bad"]]);
    }),
  );

  it.effect("compares a rollback with what it says it brings back", () =>
    Effect.gen(function* () {
      const { current, next, ruleOf } = yield* served;
      const bad = yield* next([at(1, { revision: 2, path: "/bad" }), at(2, { revision: 3, path: "/bad" })]);
      const rollback = withManifest(current, { number: 3, previous: 2, rollbackOf: 1 });
      const [one, two] = [segmentOf("customer-1"), segmentOf("customer-2")];
      const forged = withSegment(rollback, one, [at(1, { path: "/forged" })]);
      const past = new Map([
        [1, current.manifest],
        [2, bad.manifest],
      ]);
      assert.strictEqual(yield* ruleOf(rollback, { current: bad, past }), "admitted");
      assert.strictEqual(yield* ruleOf(forged, { current: bad, past }), "notARollback");
      assert.strictEqual(yield* ruleOf(forged, { current: bad, past, isAccepted: true }), "notARollback");
      const reread = withManifest(rollback, { catalogue: { ...rollback.manifest.catalogue, hash: "f".repeat(64) } });
      assert.strictEqual(yield* ruleOf(reread, { current: bad, past }), "notARollback", "the catalogue is content too");
      // What it brings back is stored nowhere: somebody has to say that it is right.
      assert.strictEqual(yield* ruleOf(rollback, { current: bad }), "notARollback");
      assert.strictEqual(yield* ruleOf(rollback, { current: bad, isAccepted: true }), "admitted");
      // A step of it, on a node that serves something older than what it leaves.
      const segments = current.manifest.segments.with(two, bad.manifest.segments[two]!);
      const step = { ...withManifest(rollback, { segments }), blob: bad.blob };
      assert.strictEqual(yield* ruleOf(step, { past }), "admitted");
      assert.strictEqual(yield* ruleOf(step, { past: new Map([[1, current.manifest]]) }), "notARollback");
    }),
  );

  it.effect("lets what came after a rollback take a node back that has missed it, and no other", () =>
    Effect.gen(function* () {
      const { current, next, ruleOf, snapshots } = yield* served;
      const missed = yield* next([at(1, { revision: 2, path: "/bad" }), entry("bad", "bad", { revision: 3 })]);
      const back = withManifest(current, { number: 3, previous: 2, rollbackOf: 1 });
      const { snapshot: after } = yield* snapshots.next([at(5, { revision: 9, path: "/x" })], {
        previous: back,
        number: 4,
      });
      const past = new Map([[3, back.manifest]]);
      assert.strictEqual(after.manifest.lastRollback, 3);
      assert.strictEqual(yield* ruleOf(after, { current: back }), "admitted");
      assert.strictEqual(yield* ruleOf(after, { current: missed, past }), "admitted");
      // The same of a node that serves what came after the rollback: there was no other.
      const since = withManifest(missed, { number: 3 });
      assert.include(["absentWithoutOrder", "backInTime"], yield* ruleOf(after, { current: since, past }));
      // What it names is no rollback, or comes later than itself.
      const lies = new Map([[3, missed.manifest]]);
      assert.strictEqual(yield* ruleOf(after, { current: missed, past: lies }), "notARollback");
      assert.strictEqual(yield* ruleOf(withManifest(after, { lastRollback: 4 }), { current: missed }), "notARollback");
      // And never much at once, without somebody saying so.
      const few = { ...facts.limits, servedRemovedPercentMax: 0, smallChangeJobsMax: 0 };
      assert.strictEqual(yield* ruleOf(after, { current: missed, past, limits: few }), "shrunk");
    }),
  );

  it.effect("takes a removal that was taken back and made anew for the same", () =>
    Effect.gen(function* () {
      const { next, ruleOf } = yield* served;
      const removal = (millis: number, over: Partial<SnapshotEntry> = {}) =>
        at(1, { revision: 2, state: "removed", data: encodeRemoval({ millis, last: Buffer.alloc(0) }), ...over });
      const before = yield* next([removal(1)]);
      const again = withManifest(yield* next([removal(2)]), { number: 4 });
      assert.strictEqual(yield* ruleOf(again, { current: before }), "admitted");
      const others = withManifest(yield* next([removal(2, { dataset: "dns" })]), { number: 4 });
      assert.strictEqual(yield* ruleOf(others, { current: before }), "revisionReused");
    }),
  );
});

describe("the serving gate, of the catalogue of datasets", () => {
  const dataset = (over: object = {}) =>
    Dataset.make({ name: "http_requests", customerField: "Customer", fields: {}, ...over } as never);

  it.effect("does not read records of jobs in another way than before, unless somebody has accepted it", () =>
    Effect.gen(function* () {
      const snapshots = new Snapshots();
      const { snapshot: current } = yield* snapshots.next([at(1)], { catalogue: encodeCatalogue([dataset()]) });
      const ruleOf = Effect.fnUntraced(function* (catalogue: Uint8Array, over: Partial<ServingFacts> = {}) {
        const { snapshot } = yield* snapshots.next([], { previous: current, number: 2, catalogue });
        return yield* admit(snapshot, { ...facts, current, ...over }).pipe(
          Effect.match({ onSuccess: () => "admitted", onFailure: ({ rule }) => rule as string }),
        );
      });
      assert.strictEqual(yield* ruleOf(encodeCatalogue([dataset(), dataset({ name: "new" })])), "admitted");
      assert.strictEqual(yield* ruleOf(encodeCatalogue([])), "datasetInUse");
      assert.strictEqual(yield* ruleOf(encodeCatalogue([dataset({ customerField: "Other" })])), "datasetInUse");
      assert.strictEqual(yield* ruleOf(encodeCatalogue([]), { isAccepted: true }), "admitted");
      assert.strictEqual(yield* ruleOf(Buffer.from("[{}]"), { isAccepted: true }), "catalogueUndecodable");
      const fields = { Time: { type: "timestamp", description: "" } };
      const strange = encodeCatalogue([dataset(), dataset({ name: "new", fields })]);
      assert.strictEqual(yield* ruleOf(strange), "unknownField");
    }),
  );
});
