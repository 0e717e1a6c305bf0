import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { adoptJobs } from "../../../src/actors/partition/recover.ts";
import { checkpoint } from "../../../src/actors/partition/checkpointer.ts";
import type { PartitionState } from "../../../src/actors/partition/partition-state.ts";
import type { Row } from "../../../src/actors/ports/checkpoints.ts";
import { type JobAbsence, Jobs, type JobSet } from "../../../src/actors/ports/jobs.ts";
import type { LogMessage } from "../../../src/actors/ports/log.ts";
import { Residency } from "../../../src/actors/residency/residency.ts";
import { partitionOf as partitionOfPair } from "../../../src/domain/partition.ts";
import type { StoredJob } from "../../../src/domain/push-job.ts";
import { jobSetOf, quiet, storedJob } from "../../support/world.ts";
import {
  chunkOf,
  logOf,
  messagesOf,
  partitionOf,
  pendingBooks,
  registerOf,
  rowOf,
  scriptedClaim,
} from "./partition-fixture.ts";

const residencyOf = (residentBuffersMax: number) =>
  new Residency({ residentBuffersMax, hibernateAfterMillis: 1_000, mayCreate: () => true });
const options = {
  partitions: 1,
  bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 },
  residency: residencyOf(1_000),
};

/** As an owner does: the rows of the claim, then the set. */
const adoptFirst = (state: PartitionState, set: JobSet, rows: ReadonlyArray<Row>, with_: typeof options = options) => {
  for (const row of rows) state.rows.put(row);
  return adoptJobs(state, set, with_);
};

/** A chunk of the pair comes, so that its buffers are wanted. */
const come = (state: PartitionState, customer: string) =>
  state.dealtTo(`${customer}.http_requests`, state.position + 1);
const empty = jobSetOf([], 1);

interface Script {
  /** Revisions that the store remembers. */
  readonly history?: ReadonlyArray<StoredJob>;
  /** What the store says of jobs that are in no set. */
  readonly absences?: Readonly<Record<string, JobAbsence>>;
  readonly messages?: ReadonlyArray<LogMessage>;
  /** Of the log, when that is more than `messages`. */
  readonly lastSequence?: number;
}

/** Keeps what would have been started, and runs nothing. */
const scripted = ({ absences = {}, history = [], lastSequence, messages = [] }: Script = {}) => {
  const started: Array<{ readonly job: string; readonly saved: unknown; readonly revised: boolean }> = [];
  const stopped: Array<string> = [];
  const asked: Array<string> = [];
  const layer = Layer.mergeAll(
    Layer.succeed(BufferActors, {
      start: (buffer, _, saved, revised) => Effect.sync(() => void started.push({ job: buffer.jobId, saved, revised })),
      stop: (buffer) => Effect.sync(() => void stopped.push(buffer.jobId)),
      startNow: (buffer, _, saved, revised) => void started.push({ job: buffer.jobId, saved, revised }),
      stopNow: (buffer) => void stopped.push(buffer.jobId),
    }),
    Layer.succeed(Jobs, {
      served: () => empty,
      onChange: () => Effect.void,
      atRevision: (id, revision) =>
        Effect.succeed(history.find((stored) => stored.job.id === id && stored.revision === revision)),
      absence: (id) => Effect.sync(() => (asked.push(id), absences[id] ?? "forgotten")),
    }),
    logOf(messages, lastSequence),
    quiet,
  );
  return { asked, layer, started, stopped };
};

const partition = (scan: number) => {
  const { claim, written } = scriptedClaim(registerOf({ scan }));
  return { state: partitionOf(claim, scan), written };
};

const rowsOf = (...rows: ReadonlyArray<Row>) => rows;

describe("recovery", () => {
  it.effect("starts a job without a row where the reader is, and one with nothing pending at the scan", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const set = jobSetOf([storedJob("new", "a"), storedJob("idle", "b"), storedJob("behind", "c")], 1);
      const rows = rowsOf(
        rowOf("idle", "b", { cursor: 7, counted: 9 }),
        rowOf("behind", "c", { cursor: 7, counted: 40, books: pendingBooks(3) }),
      );
      const { layer } = scripted();
      yield* adoptFirst(state, set, rows).pipe(Effect.provide(layer));
      assert.deepStrictEqual([...state.buffers.keys()], ["behind"], "what nothing happens to is not in memory");
      for (const customer of ["a", "b"]) come(state, customer);
      const told = [...state.buffers.values()].map(({ cursor, jobId, live, start }) => ({
        cursor,
        jobId,
        live,
        start,
      }));
      assert.deepStrictEqual(told, [
        { jobId: "behind", start: 0, cursor: 7, live: false },
        { jobId: "new", start: 40, cursor: 40, live: true },
        { jobId: "idle", start: 0, cursor: 40, live: true },
      ]);
    }),
  );

  it.effect("finishes an unfinished batch under the revision that it was begun under", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const old = storedJob("a", "a", { batch: { maxBytes: 1, maxRecords: 1, maxIntervalSeconds: 1 } }, 1);
      const { layer, started } = scripted({ history: [old] });
      const row = rowOf("a", "a", { counted: 40, books: pendingBooks(3), snapshot: { any: "thing" } });
      const set = jobSetOf([storedJob("a", "a", {}, 2)], 1);
      yield* adoptFirst(state, set, rowsOf(row)).pipe(Effect.provide(layer));
      assert.deepStrictEqual(started, [{ job: "a", saved: { any: "thing" }, revised: true }]);
      assert.strictEqual(state.buffers.get("a")!.effective, old);
    }),
  );

  it.effect("stops and goes on at one revision: what went back to before its addition, and has come again", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const { layer } = scripted();
      const inGrace = jobSetOf([storedJob("a", "a", { enabled: false }, 2), storedJob("b", "a", {}, 3)], 1, 1);
      const again = jobSetOf([storedJob("a", "a", {}, 2), storedJob("b", "a", {}, 3)], 1, 2);
      yield* Effect.gen(function* () {
        yield* adoptFirst(state, inGrace, []);
        come(state, "a");
        const isEnabled = () => [...state.buffers.values()].map(({ newest }) => newest.job.enabled);
        assert.deepStrictEqual(isEnabled(), [false, true]);
        yield* adoptJobs(state, again, options);
        assert.deepStrictEqual(isEnabled(), [true, true]);
        yield* adoptJobs(state, { ...inGrace, number: 3 }, options);
        assert.deepStrictEqual(isEnabled(), [false, true]);
      }).pipe(Effect.provide(layer));
    }),
  );

  it.effect("cuts it anew when that revision is forgotten: without its snapshot, and once the new row is durable", () =>
    Effect.gen(function* () {
      const { state, written } = partition(40);
      const { layer, started } = scripted();
      const row = rowOf("a", "a", { counted: 40, books: pendingBooks(3), snapshot: { any: "thing" } });
      const set = jobSetOf([storedJob("a", "a", {}, 2)], 1);
      yield* adoptFirst(state, set, rowsOf(row)).pipe(Effect.provide(layer));
      assert.deepStrictEqual(started, [{ job: "a", saved: undefined, revised: false }]);
      const buffer = state.buffers.get("a")!;
      // Nobody may come any more to ask for the row that the first push waits for.
      assert.strictEqual(buffer.dirtiness(), "urgent");
      yield* checkpoint(state, "me", [buffer]);
      assert.strictEqual(written[0]!.rows[0]!.revision, 2);
    }),
  );

  it.effect("settles a deleted job's backlog as shed, with a receipt and a last row", () =>
    Effect.gen(function* () {
      const { state, written } = partition(40);
      const { layer, stopped } = scripted();
      const row = rowOf("a", "a", { cursor: 5, counted: 40, books: pendingBooks(3) });
      yield* adoptFirst(state, jobSetOf([storedJob("a", "a")], 1), rowsOf(row)).pipe(Effect.provide(layer));
      yield* adoptJobs(state, jobSetOf([], 1, 2), options).pipe(Effect.provide(layer));
      assert.deepStrictEqual(stopped, ["a"]);
      assert.strictEqual(state.buffers.size, 0);
      yield* checkpoint(state, "me", []);
      assert.deepInclude(written[0]!.receipts[0], { job: "a", records: 3, firstSequence: 6, reason: "deleted" });
      assert.deepInclude(written[0]!.rows[0], { job: "a", deleted: true });
      assert.strictEqual(written[0]!.rows[0]!.books.shed.records, 3);
      assert.strictEqual(written[0]!.rows[0]!.books.pending.records, 0);
      assert.strictEqual(state.leaving.size, 0);
    }),
  );

  it.effect("takes a deleted job of the same name for another job", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const { layer } = scripted();
      const rows = rowsOf(rowOf("a", "a", { deleted: true, counted: 40, books: pendingBooks(3) }));
      yield* adoptFirst(state, jobSetOf([storedJob("a", "a")], 1), rows).pipe(Effect.provide(layer));
      come(state, "a");
      const { ledger, start } = state.buffers.get("a")!;
      assert.deepStrictEqual([start, ledger.pendingRecords], [40, 0]);
      assert.strictEqual(state.leaving.size, 0);
    }),
  );

  it.effect("does not start a job whose row is damaged, and starts the others", () =>
    Effect.gen(function* () {
      const { claim } = scriptedClaim();
      const state = partitionOf({ ...claim, damaged: new Set(["a"]) }, 0);
      const { layer, started } = scripted();
      const set = jobSetOf([storedJob("a", "a"), storedJob("b", "b")], 1);
      yield* adoptFirst(state, set, []).pipe(Effect.provide(layer));
      for (const customer of ["a", "b"]) come(state, customer);
      assert.deepStrictEqual(
        started.map(({ job }) => job),
        ["b"],
      );
    }),
  );
});

describe("a job of another customer under the same name", () => {
  it.effect("does not get the row of the one before, whose backlog is settled as shed", () =>
    Effect.gen(function* () {
      const { state, written } = partition(40);
      const { layer } = scripted();
      const rows = rowsOf(rowOf("a", "before", { cursor: 5, counted: 33, books: pendingBooks(3) }));
      yield* adoptFirst(state, jobSetOf([storedJob("a", "a")], 1), rows).pipe(Effect.provide(layer));
      come(state, "a");
      const buffer = state.buffers.get("a")!;
      assert.deepStrictEqual([buffer.pairKey, buffer.start, buffer.ledger.pendingRecords], ["a.http_requests", 40, 0]);
      assert.strictEqual(state.rows.size, 0);
      yield* checkpoint(state, "me", [buffer]);
      const { receipts, rows: stored } = written[0]!;
      const range = { firstSequence: 6, lastSequence: 33 };
      assert.deepInclude(receipts[0], { job: "a", customer: "before", records: 3, ...range, reason: "deleted" });
      // The subject holds one row: the new job's must be the later one.
      assert.deepStrictEqual(
        stored.map(({ deleted, pairKey }) => [pairKey, deleted]),
        [
          ["before.http_requests", true],
          ["a.http_requests", false],
        ],
      );
    }),
  );

  it.effect("gets a buffer of its own while the partition runs", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const { layer, started, stopped } = scripted();
      const rows = rowsOf(rowOf("a", "before", { cursor: 5, counted: 40, books: pendingBooks(3) }));
      const adopt = (job: StoredJob, number: number) =>
        adoptJobs(state, jobSetOf([job], 1, number), options).pipe(Effect.provide(layer));
      yield* adoptFirst(state, jobSetOf([storedJob("a", "before")], 1), rows).pipe(Effect.provide(layer));
      const before = state.buffers.get("a")!;
      state.position = 50;
      yield* adopt(storedJob("a", "after", {}, 2), 2);
      come(state, "after");
      const after = state.buffers.get("a")!;
      assert.notStrictEqual(after, before);
      assert.deepStrictEqual([after.pairKey, after.start], ["after.http_requests", 50]);
      assert.strictEqual(before.newest.job.customer, "before", "it was never told of the other customer");
      assert.deepStrictEqual(stopped, ["a"]);
      assert.lengthOf(started, 2);
      assert.deepStrictEqual([...state.byPair.get("before.http_requests")], []);
      assert.deepStrictEqual([...state.byPair.get("after.http_requests")], [after]);
      assert.deepInclude(state.receipts[0], { customer: "before", records: 3, lastSequence: 50, reason: "deleted" });
    }),
  );

  it.effect("of another partition leaves nothing behind in this one", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const { layer, stopped } = scripted();
      const two = { ...options, partitions: 2 };
      const here = (customer: string) => partitionOfPair(customer, "http_requests", 2) === state.partition;
      const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
      const [own, other] = [names.find(here)!, names.find((name) => !here(name))!];
      const rows = rowsOf(rowOf("b", own, { counted: 40, books: pendingBooks(2) }));
      yield* adoptFirst(state, jobSetOf([storedJob("a", own)], 2), rows, two).pipe(Effect.provide(layer));
      come(state, own);
      const moved = [storedJob("a", other, {}, 2), storedJob("b", other, {}, 3)];
      yield* adoptJobs(state, jobSetOf(moved, 2, 2), two).pipe(Effect.provide(layer));
      assert.deepStrictEqual(stopped, ["a"]);
      assert.strictEqual(state.buffers.size, 0);
      assert.sameMembers([...state.leaving.keys()], ["a", "b"]);
    }),
  );
});

describe("a row whose job is gone", () => {
  it.effect("is settled as shed when the store says that the job was removed, and only then", () =>
    Effect.gen(function* () {
      const { state, written } = partition(40);
      const absences = { removed: "removed", stored: "stored" } as const;
      const { asked, layer } = scripted({ absences });
      const behind = { cursor: 5, counted: 33, books: pendingBooks(3) };
      const rows = rowsOf(
        rowOf("removed", "a", behind),
        rowOf("stored", "b", behind),
        rowOf("forgotten", "c", behind),
        rowOf("closed", "d", { ...behind, deleted: true }),
      );
      yield* adoptFirst(state, empty, rows).pipe(Effect.provide(layer));
      const adopt = adoptJobs(state, empty, options).pipe(Effect.provide(layer));
      assert.deepStrictEqual(asked, ["forgotten", "removed", "stored"]);
      assert.deepStrictEqual([...state.leaving.keys()], ["removed"]);
      yield* adopt;
      assert.deepStrictEqual(asked.slice(3), ["stored"], "whom nobody remembers is asked for once");
      yield* checkpoint(state, "me", []);
      const [{ receipts, rows: stored }] = written as [(typeof written)[0]];
      assert.lengthOf(receipts, 1);
      const range = { firstSequence: 6, lastSequence: 33 };
      assert.deepInclude(receipts[0], {
        job: "removed",
        customer: "a",
        dataset: "http_requests",
        records: 3,
        ...range,
      });
      assert.deepInclude(receipts[0], { reason: "deleted", bytes: 30 });
      assert.lengthOf(stored, 1);
      assert.deepInclude(stored[0], { job: "removed", pairKey: "a.http_requests", deleted: true, revision: 1 });
      assert.deepStrictEqual(stored[0]!.books, {
        ...pendingBooks(3),
        shed: { records: 3, bytes: 30 },
        pending: { records: 0, bytes: 0 },
      });
      assert.strictEqual(state.leaving.size, 0);
    }),
  );

  it.effect("is asked for again when the store does not answer, and nobody else is meanwhile", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const absences: Record<string, JobAbsence> = { a: "unknown", b: "removed" };
      const { asked, layer } = scripted({ absences });
      const rows = rowsOf(rowOf("a", "a"), rowOf("b", "b"));
      yield* adoptFirst(state, empty, rows).pipe(Effect.provide(layer));
      const adopt = adoptJobs(state, empty, options).pipe(Effect.provide(layer));
      assert.deepStrictEqual(asked, ["a"]);
      absences["a"] = "removed";
      yield* adopt;
      assert.deepStrictEqual([...state.leaving.keys()], ["a", "b"]);
    }),
  );
});

describe("a revision that came while no owner ran", () => {
  const small = { maxBytes: 1, maxRecords: 1, maxIntervalSeconds: 1 };
  const history = [storedJob("a", "a", { batch: small }, 1)];
  const messages = messagesOf([1, 2, 3].map((millis) => ({ millis, chunks: [chunkOf("a", 1)] })));

  const adopted = Effect.fnUntraced(function* (script: Script, scan: number, row = rowOf("a", "a")) {
    const { state } = partition(scan);
    const { layer, started } = scripted(script);
    const newest = storedJob("a", "a", {}, 2);
    yield* adoptFirst(state, jobSetOf([newest], 1), rowsOf(row)).pipe(Effect.provide(layer));
    come(state, "a");
    const buffer = state.buffers.get("a")!;
    return { revision: buffer.effective.revision, live: buffer.live, revised: started[0]!.revised };
  });
  const old = { revision: 1, live: true, revised: true };
  const anew = { revision: 2, live: true, revised: false };

  it.effect("waits for what lies in the log: it may have been pushed under the one before, and no row says so", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* adopted({ history, messages }, 2), old);
    }),
  );

  it.effect("takes effect at once when nothing of the job does", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* adopted({ history, messages }, 3), anew, "the log ends at the scan");
      const others = messagesOf([1, 2, 3].map((millis) => ({ millis, chunks: [chunkOf("b", 1)] })));
      assert.deepStrictEqual(yield* adopted({ history, messages: others }, 2), anew, "only others' records");
    }),
  );

  it.effect("waits when it cannot be told what lies in the log", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* adopted({ history, messages, lastSequence: 9 }, 3), old);
    }),
  );

  it.effect("takes effect at once when the one before was disabled, or is forgotten", () =>
    Effect.gen(function* () {
      const disabled = [storedJob("a", "a", { enabled: false }, 1)];
      assert.deepStrictEqual(yield* adopted({ history: disabled, messages }, 2), anew);
      assert.deepStrictEqual(yield* adopted({ messages }, 2), anew);
      const behind = rowOf("a", "a", { counted: 3, books: pendingBooks(3) });
      const lagging = yield* adopted({ history: disabled, messages }, 2, behind);
      assert.deepStrictEqual(lagging, { ...anew, live: false }, "nothing would ever settle under it");
    }),
  );
});
