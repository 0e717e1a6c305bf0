import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { adoptJobs } from "../../../src/actors/partition/recover.ts";
import { checkpoint } from "../../../src/actors/partition/checkpointer.ts";
import { Jobs } from "../../../src/actors/ports/jobs.ts";
import type { StoredJob } from "../../../src/domain/push-job.ts";
import { jobSetOf, quiet, storedJob } from "../../support/world.ts";
import { partitionOf, pendingBooks, registerOf, rowOf, scriptedClaim } from "./partition-fixture.ts";

const options = { partitions: 1, bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 } };
const empty = jobSetOf([], 1);

/** Keeps what would have been started, and runs nothing. */
const scripted = (history: ReadonlyArray<StoredJob> = []) => {
  const started: Array<{ readonly job: string; readonly saved: unknown; readonly revised: boolean }> = [];
  const stopped: Array<string> = [];
  const layer = Layer.mergeAll(
    Layer.succeed(BufferActors, {
      start: (buffer, _, saved, revised) => Effect.sync(() => void started.push({ job: buffer.jobId, saved, revised })),
      stop: (buffer) => Effect.sync(() => void stopped.push(buffer.jobId)),
    }),
    Layer.succeed(Jobs, {
      served: () => empty,
      onChange: () => Effect.void,
      atRevision: (id, revision) =>
        Effect.succeed(history.find((stored) => stored.job.id === id && stored.revision === revision)),
    }),
    quiet,
  );
  return { layer, started, stopped };
};

const partition = (scan: number) => {
  const { claim, written } = scriptedClaim(registerOf({ scan }));
  return { state: partitionOf(claim, scan), written };
};

const rowsOf = (...rows: ReadonlyArray<ReturnType<typeof rowOf>>) => new Map(rows.map((row) => [row.job, row]));

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
      yield* adoptJobs(state, set, rows, options).pipe(Effect.provide(layer));
      const told = [...state.buffers.values()].map(({ cursor, jobId, live, start }) => ({
        cursor,
        jobId,
        live,
        start,
      }));
      assert.deepStrictEqual(told, [
        { jobId: "new", start: 40, cursor: 40, live: true },
        { jobId: "idle", start: 0, cursor: 40, live: true },
        { jobId: "behind", start: 0, cursor: 7, live: false },
      ]);
    }),
  );

  it.effect("finishes an unfinished batch under the revision that it was begun under", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const old = storedJob("a", "a", { batch: { maxBytes: 1, maxRecords: 1, maxIntervalSeconds: 1 } }, 1);
      const { layer, started } = scripted([old]);
      const row = rowOf("a", "a", { counted: 40, books: pendingBooks(3), snapshot: { any: "thing" } });
      const set = jobSetOf([storedJob("a", "a", {}, 2)], 1);
      yield* adoptJobs(state, set, rowsOf(row), options).pipe(Effect.provide(layer));
      assert.deepStrictEqual(started, [{ job: "a", saved: { any: "thing" }, revised: true }]);
      assert.strictEqual(state.buffers.get("a")!.effective, old);
    }),
  );

  it.effect("cuts it anew when that revision is forgotten: without its snapshot, and once the new row is durable", () =>
    Effect.gen(function* () {
      const { state, written } = partition(40);
      const { layer, started } = scripted();
      const row = rowOf("a", "a", { counted: 40, books: pendingBooks(3), snapshot: { any: "thing" } });
      const set = jobSetOf([storedJob("a", "a", {}, 2)], 1);
      yield* adoptJobs(state, set, rowsOf(row), options).pipe(Effect.provide(layer));
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
      yield* adoptJobs(state, jobSetOf([storedJob("a", "a")], 1), rowsOf(row), options).pipe(Effect.provide(layer));
      yield* adoptJobs(state, jobSetOf([], 1, 2), new Map(), options).pipe(Effect.provide(layer));
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

  it.effect("takes a deleted job of the same name, or one of another pair, for another job", () =>
    Effect.gen(function* () {
      const { state } = partition(40);
      const { layer } = scripted();
      const rows = rowsOf(
        rowOf("a", "a", { deleted: true, counted: 40, books: pendingBooks(3) }),
        rowOf("b", "x", { counted: 40, books: pendingBooks(3) }),
      );
      const set = jobSetOf([storedJob("a", "a"), storedJob("b", "b")], 1);
      yield* adoptJobs(state, set, rows, options).pipe(Effect.provide(layer));
      for (const { ledger, start } of state.buffers.values()) {
        assert.strictEqual(start, 40);
        assert.strictEqual(ledger.pendingRecords, 0);
      }
    }),
  );

  it.effect("does not start a job whose row is damaged, and starts the others", () =>
    Effect.gen(function* () {
      const { claim } = scriptedClaim();
      const state = partitionOf({ ...claim, damaged: new Set(["a"]) }, 0);
      const { layer, started } = scripted();
      const set = jobSetOf([storedJob("a", "a"), storedJob("b", "b")], 1);
      yield* adoptJobs(state, set, new Map(), options).pipe(Effect.provide(layer));
      assert.deepStrictEqual(
        started.map(({ job }) => job),
        ["b"],
      );
    }),
  );
});
