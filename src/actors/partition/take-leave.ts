import { Clock, Effect } from "effect";
import { batchDefaults, disabled, type PushJob, type StoredJob } from "../../domain/push-job.ts";
import { BufferActors } from "../buffer/actor.ts";
import { Buffer } from "../buffer/buffer.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { FormerLife, Row } from "../ports/checkpoints.ts";
import { Jobs } from "../ports/jobs.ts";
import type { Residency } from "../residency/residency.ts";
import type { PartitionState } from "./partition-state.ts";

export interface LeaveOptions {
  readonly bounds: WindowBounds;
  readonly residency: Residency;
}

/** Whatever there is of a job leaves, wherever it is: resident, waiting or hibernated. */
export const dismiss = Effect.fnUntraced(function* (state: PartitionState, job: string, options: LeaveOptions) {
  const actors = yield* BufferActors;
  state.orphans.take(job);
  const buffer = state.buffers.get(job);
  if (buffer !== undefined) {
    yield* actors.stop(buffer);
    options.residency.leave(buffer);
    state.remove(buffer);
    // After a restart its row counts more than was read since.
    yield* takeLeave(state, buffer, Math.max(state.position, buffer.countedBefore));
  }
  const waiting = state.waitingBuffers.get(job);
  state.waiting.delete(job);
  if (waiting !== undefined) {
    state.removeWaiting(waiting);
    yield* dismissRow(state, waiting.rowNow(), options);
  }
  const row = state.rows.take(job);
  if (row !== undefined) yield* dismissRow(state, row, options);
});

/** As `dismiss`, for a job of which there is a row only: a buffer is made that never runs. */
const dismissRow = (state: PartitionState, row: Row, { bounds }: LeaveOptions) => {
  const former = formerJob(row);
  const buffer = new Buffer(state.host(bounds), former, former, { row, scan: state.scan });
  return takeLeave(state, buffer, row.counted);
};

/** What a row tells of the job that it was written for. Where that delivered to does not matter any more. */
const formerJob = ({ job, pairKey: key, revision }: Row): StoredJob => {
  const [customer = "", dataset = ""] = key.split(".");
  const ids = { id: job, customer, dataset } as Pick<PushJob, "id" | "customer" | "dataset">;
  return { revision, job: { ...ids, enabled: false, destination: { kind: "file", path: "/" }, batch: batchDefaults } };
};

/**
 * What came under a set that is not adopted here yet, and is pending: that set says whom it is for. The job may be in
 * it again, and its grace over only where nobody has heard of that.
 *
 * @returns how much it is, and up to where the books of the job go without it
 */
const earlyOf = (state: PartitionState, { cursor, ledger, pairKey, start }: Buffer, lastSequence: number) => {
  const early = state.newerChunks.after(pairKey, start);
  if (early === undefined || lastSequence < early.last) return { to: lastSequence, left: none };
  // Its row counts more than was read since the restart: which of that is early is not known.
  if (lastSequence > state.position) return { to: lastSequence, left: none };
  const { pendingBytes: bytes, pendingRecords: records } = ledger;
  // All that is pending is early when some of what is early is settled.
  if (cursor >= early.first) return { to: cursor, left: { records, bytes } };
  return records < early.records ? { to: lastSequence, left: none } : { to: early.first - 1, left: early };
};

const none = { records: 0, bytes: 0 };

const takeLeave = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer, lastSequence: number) {
  const { jobId: job, pairKey, start } = buffer;
  const { left, to } = earlyOf(state, buffer, lastSequence);
  buffer.ledger.accept(-left.records, -left.bytes);
  const life = { pairKey, start, counted: to };
  state.newerChunks.leave(job, life, left);
  state.close(job, life);
  const account = buffer.shedPending(to);
  if (account !== undefined) {
    state.receipts.push({ ...account, reason: "deleted", millis: yield* Clock.currentTimeMillis });
    yield* Effect.logWarning("A deleted job's backlog is given up.", account);
  }
  state.leaving.set(buffer.jobId, buffer);
  state.checkpointWanted.raise();
});

/**
 * A job is gone, and less was read since the claim than its books hold: which of its chunks came early is not known
 * yet. Nothing of it is pushed, and it is an orphan meanwhile.
 */
export const linger = (state: PartitionState, job: string, life: FormerLife): void => {
  state.orphan(job, life, true);
  state.newerChunks.leave(job, life, none);
  const waiting = state.waiting.get(job);
  if (waiting !== undefined) state.waiting.set(job, { ...waiting, enabled: false });
  const buffer = state.buffers.get(job);
  if (buffer?.newest.job.enabled === true) buffer.revise(disabled(buffer.newest));
};

/** Rows of jobs that were deleted while no owner ran. That a job is missing is not enough: the store must say so. */
export const dismissRemoved = (state: PartitionState, options: LeaveOptions) =>
  dismissOrphans(state, state.orphans.unsettled().toSorted(), options);

/** Those for whom it was too early, once it is not. */
export const dismissLate = Effect.fnUntraced(function* (state: PartitionState, options: LeaveOptions) {
  for (const job of state.lateLeaves) if (!state.orphans.has(job)) state.lateLeaves.delete(job);
  const due = [...state.lateLeaves].filter((job) => state.orphans.isReadAgain(job, state.position));
  if (due.length > 0) yield* dismissOrphans(state, due.toSorted(), options);
});

const dismissOrphans = Effect.fnUntraced(function* (
  state: PartitionState,
  orphans: ReadonlyArray<string>,
  options: LeaveOptions,
) {
  const jobs = yield* Jobs;
  let isStoreSilent = false;
  for (const job of orphans) {
    if (!state.orphans.isReadAgain(job, state.position)) {
      state.lateLeaves.add(job);
      continue;
    }
    state.lateLeaves.delete(job);
    const isExplained = state.orphans.isExplained(job);
    if (isStoreSilent && !isExplained) continue;
    const absence = isExplained ? "removed" : yield* jobs.absence(job);
    // Without an answer the others would not get one either: asked again with the next set.
    isStoreSilent ||= absence === "unknown";
    if (absence === "removed") yield* dismiss(state, job, options);
    if (absence !== "forgotten") continue;
    // One warning for each claim is enough.
    state.orphans.forgotten(job);
    yield* Effect.logWarning("A job is gone and nothing says that it was deleted: its row stays as it is.", {
      partition: state.partition,
      job,
      pendingRecords: (state.waitingBuffers.get(job)?.books() ?? state.rows.get(job)?.books)?.pending.records,
    });
  }
});
