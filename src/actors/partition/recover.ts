import { Clock, Effect } from "effect";
import { addBooks, emptyBooks } from "../../domain/books.ts";
import { batchDefaults, type PushJob, type StoredJob } from "../../domain/push-job.ts";
import { pairKey, partitionOf } from "../../domain/partition.ts";
import { BufferActors } from "../buffer/actor.ts";
import { Buffer } from "../buffer/buffer.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { Row } from "../ports/checkpoints.ts";
import { Jobs, type JobSet } from "../ports/jobs.ts";
import type { Log } from "../ports/log.ts";
import { type HoldsPair, pairsAfterScan } from "./pairs-after-scan.ts";
import type { PartitionState } from "./partition-state.ts";

export interface BufferOptions {
  readonly partitions: number;
  readonly bounds: WindowBounds;
}

/**
 * Brings a partition's buffers in line with a job set: starts the new, revises the changed, takes leave of the deleted.
 * Run once with the rows of a claimed partition, and again with every later set.
 *
 * @param rows what was claimed and has no buffer yet; those that are dealt with are taken out
 */
export const adoptJobs = Effect.fnUntraced(function* (
  state: PartitionState,
  set: JobSet,
  rows: Map<string, Row>,
  options: BufferOptions,
) {
  const holdsPair = yield* Effect.cached(pairsAfterScan(state));
  for (const stored of set.byId.values()) {
    const { customer, dataset, id } = stored.job;
    yield* dismissOtherPair(state, stored, rows, options);
    if (partitionOf(customer, dataset, options.partitions) !== state.partition) continue;
    const buffer = state.buffers.get(id);
    // Starting it anew would pass over a backlog that nobody could account for.
    if (state.claim.damaged.has(id)) yield* refuseDamaged(state, id);
    else if (buffer === undefined) {
      yield* admit(state, stored, rows.get(id), options, holdsPair);
      rows.delete(id);
    } else if (buffer.newest.revision !== stored.revision) buffer.revise(stored);
  }
  for (const buffer of state.buffers.values()) {
    if (!set.byId.has(buffer.jobId)) yield* dismiss(state, buffer);
  }
  yield* dismissRemoved(state, set, rows, options);
  state.jobSet = set.number;
});

const refuseDamaged = (state: PartitionState, job: string) =>
  Effect.logError("A job's row does not decode: the job is not started, nothing of it is lost or changed.", {
    partition: state.partition,
    job,
  });

const admit = Effect.fnUntraced(function* (
  state: PartitionState,
  newest: StoredJob,
  found: Row | undefined,
  options: BufferOptions,
  holdsPair: Effect.Effect<HoldsPair, never, Log>,
) {
  const actors = yield* BufferActors;
  // A deleted job of the same name was another job: its books stay closed.
  const row = found?.deleted === true ? undefined : found;
  const effective = row === undefined ? newest : yield* effectiveOf(newest, row, holdsPair);
  const buffer = new Buffer(
    state.host(options.bounds),
    newest,
    effective,
    row === undefined ? { row, start: state.position } : { row, scan: state.scan },
  );
  state.add(buffer);
  if (state.isRebased && row !== undefined) buffer.beUrgent();
  // A snapshot is of the revision it was made under: under another one its batch has another end.
  const saved = row?.revision === effective.revision ? row.snapshot : undefined;
  yield* actors.start(buffer, state.incarnation, saved, effective !== newest);
  if (!buffer.live) state.sweepWanted.raise();
});

/**
 * The revision to begin with. What may have been pushed before the crash is finished under the one that it was pushed
 * under, before a newer one takes effect: otherwise it would be cut anew, and arrive twice. That is what the row has
 * pending, and what lies after the scan: it may have been counted and pushed without a row that tells of it.
 */
const effectiveOf = Effect.fnUntraced(function* (
  newest: StoredJob,
  row: Row,
  holdsPair: Effect.Effect<HoldsPair, never, Log>,
) {
  if (newest.revision === row.revision) return newest;
  if (row.books.pending.records === 0 && !(yield* holdsPair)(row.pairKey)) return newest;
  const jobs = yield* Jobs;
  const older = yield* jobs.atRevision(row.job, row.revision);
  // A disabled job pushes nothing: nothing is to be finished, and no batch would ever settle under it.
  if (older !== undefined) return older.job.enabled ? older : newest;
  yield* Effect.logWarning("The revision of an unfinished batch is forgotten; it is cut anew.", {
    job: row.job,
    revision: row.revision,
  });
  return newest;
});

/**
 * The customer and dataset of a job never change: one of another pair is another job under the same name, and the one
 * before was deleted between two sets, or while no owner ran.
 */
const dismissOtherPair = Effect.fnUntraced(function* (
  state: PartitionState,
  { job }: StoredJob,
  rows: Map<string, Row>,
  options: BufferOptions,
) {
  const buffer = state.buffers.get(job.id);
  const row = rows.get(job.id);
  if (buffer === undefined && row === undefined) return;
  const key = pairKey(job.customer, job.dataset);
  if (buffer !== undefined && buffer.pairKey !== key) yield* dismiss(state, buffer);
  if (row === undefined || row.pairKey === key) return;
  rows.delete(job.id);
  if (!row.deleted) yield* dismissRow(state, row, options);
});

const dismiss = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer) {
  const actors = yield* BufferActors;
  yield* actors.stop(buffer);
  state.remove(buffer);
  yield* takeLeave(state, buffer, state.position);
});

/** Rows that the store cannot say anything about; one warning each per claim is enough. */
const inexplicable = new WeakSet<Row>();

/** Rows of jobs that were deleted while no owner ran. That a job is missing is not enough: the store must say so. */
const dismissRemoved = Effect.fnUntraced(function* (
  state: PartitionState,
  set: JobSet,
  rows: Map<string, Row>,
  options: BufferOptions,
) {
  const jobs = yield* Jobs;
  for (const row of rows.values()) {
    if (row.deleted || set.byId.has(row.job) || inexplicable.has(row)) continue;
    const absence = yield* jobs.absence(row.job);
    // Without an answer the others would not get one either: asked again with the next set.
    if (absence === "unknown") return;
    if (absence === "removed") {
      rows.delete(row.job);
      yield* dismissRow(state, row, options);
    } else if (absence === "forgotten") {
      inexplicable.add(row);
      yield* Effect.logWarning("A job is gone and nothing says that it was deleted: its row stays as it is.", {
        partition: state.partition,
        job: row.job,
        pendingRecords: row.books.pending.records,
      });
    }
  }
});

/** As `dismiss`, for a job that has no buffer: one is made that never runs. */
const dismissRow = (state: PartitionState, row: Row, options: BufferOptions) => {
  const former = formerJob(row);
  const buffer = new Buffer(state.host(options.bounds), former, former, { row, scan: state.scan });
  return takeLeave(state, buffer, row.counted);
};

/** What a row tells of the job that it was written for. Where that delivered to does not matter any more. */
const formerJob = ({ job, pairKey: key, revision }: Row): StoredJob => {
  const [customer = "", dataset = ""] = key.split(".");
  const ids = { id: job, customer, dataset } as Pick<PushJob, "id" | "customer" | "dataset">;
  return { revision, job: { ...ids, enabled: false, destination: { kind: "file", path: "/" }, batch: batchDefaults } };
};

const takeLeave = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer, lastSequence: number) {
  const account = buffer.shedPending(lastSequence);
  if (account !== undefined) {
    state.receipts.push({ ...account, reason: "deleted", millis: yield* Clock.currentTimeMillis });
    yield* Effect.logWarning("A deleted job's backlog is given up.", account);
  }
  state.leaving.set(buffer.jobId, buffer);
  state.checkpointWanted.raise();
});

/** The rows of a log that is not the one they were written for: what was pending there is lost, and said so. */
export const rebase = Effect.fnUntraced(function* (state: PartitionState, rows: ReadonlyArray<Row>) {
  const millis = yield* Clock.currentTimeMillis;
  return rows.map((row): Row => {
    const { pending } = row.books;
    if (pending.records > 0) {
      const [customer = "", dataset = ""] = row.pairKey.split(".");
      const range = { firstSequence: row.cursor + 1, lastSequence: row.counted };
      state.receipts.push({ customer, dataset, job: row.job, ...range, ...pending, reason: "logLost", millis });
    }
    const books = addBooks(row.books, {
      ...emptyBooks,
      expired: pending,
      pending: { records: -pending.records, bytes: -pending.bytes },
    });
    return { ...row, books, start: 0, cursor: 0, counted: 0, cuts: [], snapshot: undefined };
  });
});
