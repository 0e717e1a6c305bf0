import { Clock, Effect } from "effect";
import { addBooks, emptyBooks } from "../../domain/books.ts";
import type { StoredJob } from "../../domain/push-job.ts";
import { pairKey } from "../../domain/partition.ts";
import { BufferActors } from "../buffer/actor.ts";
import { Buffer } from "../buffer/buffer.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { Row } from "../ports/checkpoints.ts";
import { Jobs, type JobSet } from "../ports/jobs.ts";
import { partitionOf } from "../../domain/partition.ts";
import type { PartitionState } from "./partition-state.ts";

export interface BufferOptions {
  readonly partitions: number;
  readonly bounds: WindowBounds;
}

/**
 * Brings a partition's buffers in line with a job set: starts the new, revises the changed, takes leave of the deleted.
 * Run once with the rows of a claimed partition, and again with every later set.
 */
export const adoptJobs = Effect.fnUntraced(function* (
  state: PartitionState,
  set: JobSet,
  rows: ReadonlyMap<string, Row>,
  options: BufferOptions,
) {
  for (const stored of set.byId.values()) {
    const { customer, dataset, id } = stored.job;
    if (partitionOf(customer, dataset, options.partitions) !== state.partition) continue;
    const buffer = state.buffers.get(id);
    // Starting it anew would pass over a backlog that nobody could account for.
    if (state.claim.damaged.has(id)) yield* refuseDamaged(state, id);
    else if (buffer === undefined) yield* admit(state, stored, rows.get(id), options);
    else if (buffer.newest.revision !== stored.revision) buffer.revise(stored);
  }
  for (const buffer of state.buffers.values()) {
    if (!set.byId.has(buffer.jobId)) yield* dismiss(state, buffer);
  }
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
) {
  const actors = yield* BufferActors;
  // A deleted job of the same name, or one of another pair, was another job: its books stay closed.
  const row =
    found?.deleted === true || found?.pairKey !== pairKey(newest.job.customer, newest.job.dataset) ? undefined : found;
  const pending = row !== undefined && row.books.pending.records > 0;
  const effective = pending ? yield* revisionOf(newest, row.revision) : newest;
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

/** What a push begun before the crash was made under; it is finished under it before a newer revision takes effect. */
const revisionOf = Effect.fnUntraced(function* (newest: StoredJob, revision: number) {
  if (newest.revision === revision) return newest;
  const jobs = yield* Jobs;
  const older = yield* jobs.atRevision(newest.job.id, revision);
  if (older !== undefined) return older;
  yield* Effect.logWarning("The revision of an unfinished batch is forgotten; it is cut anew.", {
    job: newest.job.id,
    revision,
  });
  return newest;
});

const dismiss = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer) {
  const actors = yield* BufferActors;
  yield* actors.stop(buffer);
  state.remove(buffer);
  const account = buffer.shedPending(state.position);
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
