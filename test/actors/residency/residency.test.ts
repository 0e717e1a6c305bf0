import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { quotaLoop } from "../../../src/actors/admission/quota-loop.ts";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import type { Buffer } from "../../../src/actors/buffer/buffer.ts";
import { checkpoint } from "../../../src/actors/partition/checkpointer.ts";
import { adoptJobs } from "../../../src/actors/partition/recover.ts";
import { Jobs } from "../../../src/actors/ports/jobs.ts";
import { accountsOf, totalsOf } from "../../../src/actors/residency/accounts.ts";
import { IdleWatch, reapPartition } from "../../../src/actors/residency/hibernate.ts";
import { givePlaces } from "../../../src/actors/residency/places.ts";
import { Residency } from "../../../src/actors/residency/residency.ts";
import { makeWaker } from "../../../src/actors/residency/wake.ts";
import { jobSetOf, quiet, storedJob } from "../../support/world.ts";
import {
  chunkOf,
  logOf,
  partitionOf,
  pendingBooks,
  registerOf,
  rowOf,
  scriptedClaim,
} from "../partition/partition-fixture.ts";

/** Actors that are in the state that a test says, and decide nothing. */
const layerActors = (deliveryOf: (job: string) => string) => {
  const start = (buffer: Buffer) => {
    buffer.actor = {
      send: () => undefined,
      delivery: () => deliveryOf(buffer.jobId),
      flow: () => "live",
      inspect: () => () => undefined,
      context: () => ({ batch: null }) as never,
      stop: () => undefined,
    };
  };
  const stop = (buffer: Buffer) => void (buffer.actor = undefined);
  return Layer.succeed(BufferActors, {
    start: (buffer) => Effect.sync(() => start(buffer)),
    stop: (buffer) => Effect.sync(() => stop(buffer)),
    startNow: start,
    stopNow: stop,
  });
};

/** A partition of jobs `a`, `b`, … of customers of the same names, with so many places. */
const world = Effect.fnUntraced(function* (
  ids: ReadonlyArray<string>,
  residentBuffersMax: number,
  rows: ReadonlyArray<ReturnType<typeof rowOf>> = [],
  mayCreate: () => boolean = () => true,
) {
  const { claim, written } = scriptedClaim(registerOf());
  const state = partitionOf(claim, 0);
  for (const row of rows) state.rows.put(row);
  const residency = new Residency({ residentBuffersMax, hibernateAfterMillis: 5_000, mayCreate });
  const options = { partitions: 1, bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 }, residency };
  const states = new Map<string, string>();
  const older = new Map<string, ReturnType<typeof storedJob>>();
  const jobs = Layer.succeed(Jobs, {
    served: () => jobSetOf([], 1),
    onChange: () => Effect.void,
    atRevision: (id, revision) => Effect.sync(() => older.get(`${id} ${revision}`)),
    absence: () => Effect.succeed("forgotten"),
  });
  const layer = Layer.mergeAll(
    layerActors((job) => states.get(job) ?? "idle"),
    jobs,
    logOf([]),
    quiet,
  );
  const set = jobSetOf(
    ids.map((id) => storedJob(id, id)),
    1,
  );
  yield* adoptJobs(state, set, options).pipe(Effect.provide(layer));
  const waker = yield* makeWaker(state, options).pipe(Effect.provide(layer));
  const watch = new IdleWatch();
  /** As the reader does with one record. */
  const come = (customer: string) => {
    const sequence = state.position + 1;
    const chunk = chunkOf(customer, 1);
    for (const buffer of state.dealtTo(chunk.pairKey, sequence)) {
      buffer.count(sequence, sequence, chunk);
      if (buffer.live && !buffer.feed(sequence, sequence, chunk)) buffer.lag(sequence - 1);
    }
    state.position = sequence;
  };
  const settle = (job: string) => {
    const buffer = state.buffers.get(job)!;
    buffer.advance(state.position + 10_000);
    const head = buffer.window.head()!;
    buffer.settle(head.ref, null, 0);
    buffer.lastSuccessMillis = 1;
  };
  return {
    come,
    adopt: (all: ReadonlyArray<ReturnType<typeof storedJob>>, number: number) =>
      adoptJobs(state, jobSetOf(all, 1, number), options).pipe(Effect.provide(layer)),
    older,
    residency,
    settle,
    state,
    states,
    written,
    saveAll: Effect.suspend(() => checkpoint(state, "me", [...state.rowed()])),
    reap: reapPartition(state, residency, waker, watch).pipe(Effect.provide(layer)),
    places: givePlaces(state, residency, waker).pipe(Effect.provide(layer)),
  };
});

describe("residency", () => {
  it("has a place for everybody while a drill has switched its bound off, and for nobody more afterwards", () => {
    const drill = { isBounded: false };
    const residency = new Residency({
      residentBuffersMax: 2,
      hibernateAfterMillis: 5_000,
      mayCreate: () => true,
      isBounded: () => drill.isBounded,
    });
    for (let i = 0; i < 40; i++) {
      assert.isTrue(residency.mayEnter(true));
      residency.enter({} as Buffer, true);
    }
    assert.isFalse(residency.isFull());
    drill.isBounded = true;
    assert.isTrue(residency.isFull());
    assert.isFalse(residency.mayEnter(true));
    assert.isFalse(residency.mayEnter(false));
  });

  it.effect("hibernates what has been quiescent for long enough, and a chunk wakes it where it was", () =>
    Effect.gen(function* () {
      const { come, reap, residency, saveAll, settle, state } = yield* world(["a", "b"], 10);
      assert.strictEqual(state.buffers.size, 0, "what nothing happened to is not in memory");
      come("a");
      yield* reap;
      yield* TestClock.adjust("1 hour");
      yield* reap;
      assert.strictEqual(state.buffers.size, 1, "with something pending nothing hibernates");
      settle("a");
      yield* TestClock.adjust("1 hour");
      yield* reap;
      assert.strictEqual(state.buffers.size, 1, "nor does what no row tells of");
      yield* saveAll;
      yield* reap;
      yield* TestClock.adjust("4 seconds");
      yield* reap;
      assert.strictEqual(state.buffers.size, 1, "nor at once");
      yield* TestClock.adjust("2 seconds");
      yield* reap;
      assert.deepStrictEqual([state.buffers.size, residency.size, state.rows.size], [0, 0, 1]);
      assert.strictEqual(totalsOf(state).delivered.records, 1);
      come("b");
      come("a");
      const { cursor, ledger, live, start } = state.buffers.get("a")!;
      assert.deepStrictEqual(
        { cursor, live, start, books: ledger.books().accepted.records },
        { cursor: 2, live: true, start: 0, books: 2 },
      );
      assert.strictEqual(state.rows.size, 0);
      assert.deepStrictEqual([...accountsOf(state)].map(({ job }) => job).toSorted(), ["a", "b"]);
    }),
  );

  it.effect("asks for a row before a new job's buffer hibernates: else it would push with none when it wakes", () =>
    Effect.gen(function* () {
      const { adopt, come, reap, saveAll, settle, state, written } = yield* world(["a"], 10);
      come("a");
      yield* adopt([storedJob("a", "a"), storedJob("b", "a")], 2);
      settle("a");
      yield* checkpoint(state, "me", [state.buffers.get("a")!]);
      for (let i = 0; i < 3; i++) {
        yield* reap;
        yield* TestClock.adjust("1 hour");
      }
      assert.deepStrictEqual([...state.buffers.keys()], ["a", "b"], "nothing tells of b yet");
      assert.strictEqual(state.buffers.get("b")!.dirtiness(), "urgent");
      yield* saveAll;
      for (let i = 0; i < 2; i++) {
        yield* reap;
        yield* TestClock.adjust("1 hour");
      }
      assert.strictEqual(state.buffers.size, 0);
      assert.include(
        written.flatMap(({ rows }) => rows.map(({ job }) => job)),
        "b",
      );
    }),
  );

  it.effect("counts for those without a place, and gives them one in time: nothing is lost", () =>
    Effect.gen(function* () {
      const { come, places, reap, residency, saveAll, settle, state, written } = yield* world(["a", "b"], 1);
      come("a");
      for (let i = 0; i < 3; i++) come("b");
      assert.deepStrictEqual([...state.buffers.keys()], ["a"]);
      assert.deepStrictEqual([...state.waiting.keys()], ["b"]);
      assert.strictEqual(residency.counts.refused, 1);
      yield* saveAll;
      const row = written[0]!.rows.find(({ job }) => job === "b")!;
      assert.deepInclude(row, { start: 1, cursor: 1, counted: 4 });
      assert.deepStrictEqual([row.books.accepted.records, row.books.pending.records], [3, 3]);
      assert.strictEqual(written[0]!.register.lowWater, 0, "a's row begins at 0");
      come("b");
      settle("a");
      yield* saveAll;
      assert.strictEqual(written.at(-1)!.register.lowWater, 1, "and b's at 1, wherever its buffer is");
      come("b");
      yield* places;
      assert.isFalse(state.buffers.has("b"), "there is still no place");
      // With a place in ten left or less, nothing waits to hibernate.
      yield* reap;
      assert.deepStrictEqual([...state.buffers.keys()], []);
      yield* places;
      const buffer = state.buffers.get("b")!;
      assert.deepStrictEqual([buffer.cursor, buffer.live, buffer.fedTo], [1, false, 1]);
      assert.strictEqual(buffer.ledger.pendingRecords, 5);
      assert.strictEqual(buffer.scanBound(), 5, "what was counted since its row was written is still in no row");
      assert.strictEqual(state.waiting.size, 0);
    }),
  );

  it.effect("counts a backlog without a place against its customer's quota", () =>
    Effect.gen(function* () {
      const { come, state } = yield* world(["a", "b"], 1);
      come("a");
      come("b");
      const bytes = state.waitingBuffers.get("b")!.pendingBytes;
      assert.isAbove(bytes, 0);
      const limits = {
        backlogBytesPerCustomerMax: 3 * bytes,
        backlogAgeSecondsMax: 1_000_000_000,
        backlogEasedPercent: 50,
      };
      yield* Effect.forkScoped(quotaLoop(new Map([[0, { state }]]), limits));
      const refused = Effect.as(TestClock.adjust(1_000), () => [...state.refusing]);
      for (let i = 0; i < 2; i++) come("b");
      assert.deepStrictEqual((yield* refused)(), []);
      come("b");
      const pairKey = state.waitingBuffers.get("b")!.pairKey;
      assert.deepStrictEqual((yield* refused)(), [pairKey], "and not that of the resident");
      state.removeWaiting(state.waitingBuffers.get("b")!);
      state.waiting.delete("b");
      assert.deepStrictEqual((yield* refused)(), []);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("lets a buffer that cannot deliver give its place up to one that waits, and keeps its cursor", () =>
    Effect.gen(function* () {
      const { come, places, reap, residency, saveAll, state, states } = yield* world(["a", "b"], 1);
      come("a");
      states.set("a", "backingOff");
      state.buffers.get("a")!.giveUpWindow();
      come("b");
      yield* saveAll;
      yield* reap;
      yield* places;
      assert.deepStrictEqual([...state.buffers.keys()], ["a"], "it has its time");
      yield* TestClock.adjust("20 seconds");
      yield* reap;
      assert.deepStrictEqual([...state.buffers.keys()], ["a"], "nobody has asked for its place for long");
      yield* places;
      yield* reap;
      yield* places;
      assert.deepStrictEqual([...state.buffers.keys()], ["b"]);
      assert.strictEqual(residency.counts.evicted, 1);
      assert.deepStrictEqual([...state.waiting.keys()], ["a"]);
      assert.deepInclude(state.waitingBuffers.get("a")!.rowNow(), { cursor: 0, start: 0 });
      assert.strictEqual(totalsOf(state).pending.records, 2);
    }),
  );

  it.effect("lets newcomers that cannot deliver give theirs up to newcomers, though others' places are free", () =>
    Effect.gen(function* () {
      const { come, places, reap, residency, saveAll, state, states } = yield* world(["a", "b", "c"], 4);
      for (const customer of ["a", "b", "c"]) come(customer);
      assert.deepStrictEqual([...state.buffers.keys()], ["a", "b"]);
      for (const job of ["a", "b"]) {
        states.set(job, "suspended");
        state.buffers.get(job)!.giveUpWindow();
      }
      yield* saveAll;
      yield* reap;
      yield* TestClock.adjust("20 seconds");
      yield* places;
      yield* reap;
      yield* places;
      assert.deepStrictEqual([...state.buffers.keys()], ["b", "c"]);
      assert.deepStrictEqual([residency.counts.evicted, residency.newcomersSize], [1, 2]);
    }),
  );

  it("wants a place of a newcomer for newcomers, of an established one for all whom it would let in", () => {
    const residency = new Residency({ residentBuffersMax: 2, hibernateAfterMillis: 0, mayCreate: () => true });
    const [established, newcomer] = [{} as Buffer, {} as Buffer];
    residency.enter(newcomer, true);
    residency.miss(true, 0);
    assert.deepStrictEqual([residency.isWanted(newcomer, 4_999), residency.isWanted(newcomer, 5_000)], [true, false]);
    residency.enter(established, false);
    // A newcomer could not take it: newcomers have their half.
    assert.isFalse(residency.isWanted(established, 1));
    residency.miss(false, 1);
    assert.isTrue(residency.isWanted(established, 2));
    residency.leave(newcomer);
    assert.isFalse(residency.isWanted(established, 2), "there is one");
  });

  it.effect("finishes under its earlier revision what may have been pushed, and nothing else", () =>
    Effect.gen(function* () {
      const pending = pendingBooks(1);
      const rows = [rowOf("a", "a", { lastSuccessMillis: 1 }), rowOf("b", "b", { counted: 1, books: pending })];
      const { adopt, come, older, places, residency, state } = yield* world(["x"], 1, [], () => true);
      come("x");
      for (const row of rows) state.rows.put(row);
      state.doubtTo = 1;
      for (const id of ["a", "b"]) older.set(`${id} 1`, storedJob(id, id));
      yield* adopt([storedJob("x", "x"), storedJob("a", "a", {}, 2), storedJob("b", "b", {}, 2)], 2);
      come("a");
      come("b");
      assert.deepStrictEqual([...state.waiting.keys()].toSorted(), ["a", "b"]);
      for (const expected of [2, 1]) {
        const [there] = state.buffers.values();
        residency.leave(there!);
        state.remove(there!);
        yield* places;
        const [buffer] = state.buffers.values();
        assert.deepStrictEqual([buffer?.newest.revision, buffer?.effective.revision], [2, expected]);
      }
    }),
  );

  it.effect("keeps half of the places from newcomers, and none from those who were there before", () =>
    Effect.gen(function* () {
      const rows = ["x", "y"].map((id) => rowOf(id, id, { lastSuccessMillis: 1 }));
      const { come, residency, state } = yield* world(["a", "b", "c", "x", "y"], 4, rows);
      for (const customer of ["a", "b", "c", "x", "y"]) come(customer);
      assert.deepStrictEqual([...state.buffers.keys()], ["a", "b", "x", "y"]);
      assert.deepStrictEqual([...state.waiting.keys()], ["c"]);
      assert.deepStrictEqual([residency.size, residency.newcomersSize], [4, 2]);
    }),
  );

  it.effect("creates nobody's first buffer without a token", () =>
    Effect.gen(function* () {
      let tokens = 1;
      const { come, places, state } = yield* world(["a", "b", "x"], 10, [rowOf("x", "x")], () => tokens-- > 0);
      for (const customer of ["x", "a", "b"]) come(customer);
      assert.deepStrictEqual([...state.buffers.keys()], ["x", "a"]);
      tokens = 1;
      yield* places;
      assert.deepStrictEqual([...state.buffers.keys()], ["x", "a", "b"]);
      assert.strictEqual(state.buffers.get("b")!.ledger.pendingRecords, 1);
    }),
  );

  it.effect("brings in all jobs of a pair together, one that was added meanwhile included", () =>
    Effect.gen(function* () {
      const { adopt, state } = yield* world([], 9);
      const one = [storedJob("a", "x")];
      yield* adopt(one, 2);
      assert.lengthOf(state.dealtTo("x.http_requests", 1), 1);
      state.position = 7;
      const two = [...one, storedJob("b", "x"), storedJob("c", "y")];
      yield* adopt(two, 3);
      assert.deepStrictEqual(
        state.dealtTo("x.http_requests", 8).map(({ jobId, start }) => [jobId, start]),
        [
          ["a", 0],
          ["b", 7],
        ],
      );
      assert.isFalse(state.buffers.has("c"));
    }),
  );
});
