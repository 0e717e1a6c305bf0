import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { adoptInto } from "../../src/node/adopt-snapshot.ts";
import { type Adoption, admit } from "../../src/serving/serving-gate.ts";
import { encodeRemoval } from "../../src/snapshot/removal.ts";
import type { SnapshotEntry } from "../../src/snapshot/segment.ts";
import type { Snapshot } from "../../src/snapshot/snapshot.ts";
import { JobTable } from "../../src/streams/job-table.ts";
import { StoredJobs } from "../../src/streams/stored-jobs.ts";
import { entry, Snapshots } from "../snapshot/snapshot-fixture.ts";
import { limits } from "../support/world.ts";
import { makeWallClock } from "../support/wall-clock.ts";

const graceSeconds = 900;

/** A node: what its gate makes of each snapshot is what it adopts. */
const nodeOf = () => {
  const table = new JobTable(8);
  const adopted = adoptInto(table, new StoredJobs(table, 8), {
    cell: () => "here",
    removalGraceSeconds: graceSeconds,
    isGraceOn: () => true,
  });
  let current: Snapshot | undefined;
  const serve = Effect.fnUntraced(function* (next: Snapshot) {
    const nowMillis = yield* Clock.currentTimeMillis;
    const facts = { limits, cell: "here", isAccepted: true, isJob: () => true, past: new Map(), nowMillis };
    yield* adopted.adopt(yield* admit(next, { ...facts, current }), next.manifest);
    current = next;
  });
  /** As a node that starts with this on its disk. */
  const begin = (whole: Snapshot, entries: ReadonlyArray<SnapshotEntry>) => {
    const adoption: Adoption = {
      put: entries.filter(({ state }) => state !== "removed"),
      removed: entries.filter(({ state }) => state === "removed"),
    };
    current = whole;
    return adopted.adopt(adoption, whole.manifest);
  };
  /** Each job as the set in force has it; one that is kept for its grace only is disabled. */
  const jobs = () =>
    [...adopted.served().set.byId.values()]
      .map(({ job, revision }) => `${job.customer}@${revision}${job.enabled ? "" : " off"}`)
      .toSorted();
  const pairs = () => [...adopted.served().set.pairs.keys()].toSorted();
  return { adopted, begin, jobs, pairs, serve, table };
};

const removed = (id: string, customer: string, revision: number, millis: number): SnapshotEntry => ({
  ...entry(id, customer, { revision, state: "removed" }),
  data: encodeRemoval({ millis, last: entry(id, customer).data }),
});

const other = entry("other", "someone");
const someone = "someone@1";

describe("an id that was given to another customer", () => {
  /** `x` is acme's, is removed, is beta's; `z` is a change of acme's after that. */
  const story = Effect.gen(function* () {
    const made = new Snapshots();
    const next = (...changed: ReadonlyArray<SnapshotEntry>) =>
      Effect.map(made.next(changed), ({ snapshot }) => snapshot);
    const before = yield* next(other, entry("x", "acme"));
    const gone = yield* next(removed("x", "acme", 2, 0));
    const given = yield* next(entry("x", "beta", { revision: 3 }));
    const later = yield* next(entry("z", "acme", { revision: 4 }));
    return { before, gone, given, later, next, entries: (snapshot: Snapshot) => made.entries(snapshot) };
  });

  it.effect("stays that customer's when the one before has another change", () =>
    Effect.gen(function* () {
      const { before, given, gone, later } = yield* story;
      const node = nodeOf();
      for (const each of [before, gone, given, later]) yield* node.serve(each);
      assert.deepStrictEqual(node.jobs(), ["acme@4", "beta@3", someone]);
    }),
  );

  it.effect("is that customer's on a node that takes both changes at once", () =>
    Effect.gen(function* () {
      const { before, later } = yield* story;
      const node = nodeOf();
      yield* node.serve(before);
      yield* node.serve(later);
      assert.deepStrictEqual(node.jobs(), ["acme@4", "beta@3", someone]);
    }),
  );

  for (const [when, millis] of [
    ["within the grace", 60_000],
    ["after it", 2 * graceSeconds * 1_000],
  ] as const) {
    it.effect(`is that customer's on a node that starts ${when}`, () =>
      Effect.gen(function* () {
        const { entries, later } = yield* story;
        yield* TestClock.adjust(millis);
        for (const order of [entries(later), entries(later).toReversed()]) {
          const node = nodeOf();
          yield* node.begin(later, order);
          assert.deepStrictEqual(node.jobs(), ["acme@4", "beta@3", someone]);
        }
      }),
    );
  }

  it.effect("goes back to the one before with a rollback, and forth again", () =>
    Effect.gen(function* () {
      const { before, given, gone } = yield* story;
      const node = nodeOf();
      for (const each of [before, gone, given]) yield* node.serve(each);
      const as = (snapshot: Snapshot, number: number, rollbackOf: number): Snapshot => ({
        ...snapshot,
        hash: `${number}`,
        manifest: { ...snapshot.manifest, number, rollbackOf },
      });
      yield* node.serve(as(before, 11, 1));
      assert.deepStrictEqual(node.jobs(), ["acme@1", someone]);
      yield* node.serve(as(gone, 12, 2));
      assert.deepStrictEqual(node.jobs(), ["acme@2 off", someone]);
      yield* node.serve(as(given, 13, 3));
      assert.deepStrictEqual(node.jobs(), ["beta@3", someone]);
    }),
  );

  it.effect("is kept for the grace of the one that had it last", () =>
    Effect.gen(function* () {
      const { before, entries, given, gone, next } = yield* story;
      const node = nodeOf();
      for (const each of [before, gone, given]) yield* node.serve(each);
      const last = yield* next(removed("x", "beta", 5, 1_000));
      yield* node.serve(last);
      yield* node.serve(yield* next(entry("z", "acme", { revision: 6 })));
      assert.deepStrictEqual(node.jobs(), ["acme@6", "beta@5 off", someone]);
      for (const order of [entries(last), entries(last).toReversed()]) {
        const begun = nodeOf();
        yield* begun.begin(last, order);
        assert.include(begun.jobs(), "beta@5 off");
      }
    }),
  );
});

describe("a grace that no snapshot tells of", () => {
  /** `x` is added to a node and that is rolled back, `y` is disabled: then its process ends. */
  const story = Effect.gen(function* () {
    const made = new Snapshots();
    const node = nodeOf();
    const first = (yield* made.next([other, entry("y", "beta")])).snapshot;
    const added = (yield* made.next([entry("x", "acme", { revision: 2 })])).snapshot;
    const manifest = { ...first.manifest, number: 11, rollbackOf: 1 };
    const back: Snapshot = { ...first, manifest, hash: "back" };
    for (const each of [first, added, back]) yield* node.serve(each);
    const off = yield* made.next([entry("y", "beta", { revision: 3, state: "disabled" })], {
      previous: back,
      number: 12,
    });
    yield* node.serve(off.snapshot);
    const next = nodeOf();
    yield* next.begin(off.snapshot, made.entries(off.snapshot));
    return { made, next, node };
  });
  const pairs = ["acme.http_requests", "beta.http_requests", "someone.http_requests"];

  it.effect("goes on in the next life of the node, and ends when it would have ended", () =>
    Effect.gen(function* () {
      const { next, node } = yield* story;
      assert.deepStrictEqual([node.pairs(), node.jobs()], [pairs, ["acme@2 off", "beta@3 off", someone]]);
      assert.deepStrictEqual(next.pairs(), ["someone.http_requests"]);
      yield* TestClock.adjust(300_000);
      yield* next.adopted.resume(yield* node.adopted.untold);
      assert.deepStrictEqual([next.pairs(), next.jobs()], [pairs, ["acme@2 off", "beta@3 off", someone]]);
      yield* TestClock.adjust((graceSeconds - 300) * 1_000 - 1);
      yield* next.adopted.endGrace;
      assert.deepStrictEqual(next.pairs(), pairs);
      yield* TestClock.adjust(1);
      yield* next.adopted.endGrace;
      assert.deepStrictEqual(next.pairs(), ["someone.http_requests"]);
      yield* TestClock.adjust(10_000);
      yield* next.adopted.endGrace;
      assert.deepStrictEqual(next.jobs(), ["beta@3 off", someone]);
    }),
  );

  it.effect("is over when it was over before that life began", () =>
    Effect.gen(function* () {
      const { next, node } = yield* story;
      const untold = yield* node.adopted.untold;
      yield* TestClock.adjust(graceSeconds * 1_000);
      yield* next.adopted.resume(untold);
      assert.deepStrictEqual([next.pairs(), next.jobs()], [["someone.http_requests"], ["beta@3 off", someone]]);
    }),
  );

  it.effect("ends when the job is served again, and is not cut short by an order to remove it", () =>
    Effect.gen(function* () {
      const { made, next, node } = yield* story;
      yield* next.adopted.resume(yield* node.adopted.untold);
      const bare = {
        ...entry("x", "acme", { revision: 4, state: "removed" }),
        data: encodeRemoval({ millis: 0, last: Buffer.alloc(0) }),
      };
      yield* next.serve((yield* made.next([bare], { number: 13 })).snapshot);
      assert.deepStrictEqual([next.pairs(), next.jobs()], [pairs, ["acme@2 off", "beta@3 off", someone]]);
      yield* next.serve((yield* made.next([entry("x", "acme", { revision: 5 })], { number: 14 })).snapshot);
      assert.deepStrictEqual(next.jobs(), ["acme@5", "beta@3 off", someone]);
      const untold = yield* next.adopted.untold;
      assert.deepStrictEqual(
        untold.map((each) => ("key" in each ? each.key : each.id)),
        ["beta.http_requests"],
      );
    }),
  );
});

describe("the end of a grace", () => {
  const removedOn = Effect.fnUntraced(function* (node: ReturnType<typeof nodeOf>) {
    const made = new Snapshots();
    yield* node.serve((yield* made.next([other, entry("x", "acme")])).snapshot);
    const nowMillis = yield* Clock.currentTimeMillis;
    yield* node.serve((yield* made.next([removed("x", "acme", 2, nowMillis)])).snapshot);
    return made;
  });

  it.effect("never shows a part of a snapshot that is being adopted", () =>
    Effect.gen(function* () {
      const node = nodeOf();
      const made = yield* removedOn(node);
      yield* TestClock.adjust((graceSeconds + 60) * 1_000);
      const many = Array.from({ length: 12_000 }, (_, i) => entry(`many-${i}`, `customer-${i}`));
      const next = (yield* made.next(many)).snapshot;
      const adopting = yield* Effect.forkChild(node.serve(next), { startImmediately: true });
      let looks = 0;
      while (node.table.size < 5_000) yield* Effect.yieldNow;
      const ending = yield* Effect.forkChild(node.adopted.endGrace, { startImmediately: true });
      while (node.adopted.served().set.number === 2) {
        assert.isBelow(node.adopted.served().set.byId.size, 3, "of the snapshot before");
        looks += 1;
        yield* Effect.yieldNow;
      }
      assert.isAbove(looks, 1);
      yield* Fiber.join(adopting);
      yield* Fiber.join(ending);
      assert.deepStrictEqual([node.adopted.served().set.number, node.adopted.served().set.byId.size], [3, 12_001]);
    }),
  );

  it.effect("is forwarders' first, and owners' when what these let in elsewhere has come", () =>
    Effect.gen(function* () {
      const node = nodeOf();
      yield* removedOn(node);
      yield* TestClock.adjust(graceSeconds * 1_000 - 1);
      yield* node.adopted.endGrace;
      assert.deepStrictEqual(node.pairs(), ["acme.http_requests", "someone.http_requests"]);
      yield* TestClock.adjust(1);
      yield* node.adopted.endGrace;
      assert.deepStrictEqual([node.pairs(), node.jobs()], [["someone.http_requests"], ["acme@2 off", someone]]);
      yield* TestClock.adjust(9_000);
      yield* node.adopted.endGrace;
      assert.include(node.jobs(), "acme@2 off");
      yield* TestClock.adjust(1_000);
      yield* node.adopted.endGrace;
      assert.deepStrictEqual(node.jobs(), [someone]);
    }),
  );

  it.effect("comes neither sooner nor later when the clock on the wall is set", () =>
    Effect.gen(function* () {
      const wall = yield* makeWallClock;
      yield* Effect.gen(function* () {
        for (const jumpMillis of [3_600_000, -3_600_000]) {
          const node = nodeOf();
          yield* removedOn(node);
          wall.aheadMillis += jumpMillis;
          yield* TestClock.adjust(graceSeconds * 1_000 - 1);
          yield* node.adopted.endGrace;
          assert.include(node.pairs(), "acme.http_requests");
          yield* TestClock.adjust(1);
          yield* node.adopted.endGrace;
          assert.notInclude(node.pairs(), "acme.http_requests");
        }
      }).pipe(Effect.provideService(Clock.Clock, wall.clock));
    }),
  );

  it.effect("is a whole grace away when this node's clock is not that of the one that ordered it", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust(3_600_000);
      const made = new Snapshots();
      const node = nodeOf();
      yield* node.serve((yield* made.next([other, entry("x", "acme")])).snapshot);
      yield* node.serve((yield* made.next([removed("x", "acme", 2, 0)])).snapshot);
      assert.deepStrictEqual(node.jobs(), ["acme@2 off", someone]);
      assert.include(node.pairs(), "acme.http_requests");
    }),
  );
});
