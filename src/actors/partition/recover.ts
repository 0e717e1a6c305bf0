import { Clock, Effect } from "effect";
import { addBooks, emptyBooks } from "../../domain/books.ts";
import { partitionOf } from "../../domain/partition.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { Row } from "../ports/checkpoints.ts";
import { briefOf, changedIds, type JobBrief, type JobSet } from "../ports/jobs.ts";
import { givePlaces, unfinishedRevision } from "../residency/places.ts";
import type { Residency } from "../residency/residency.ts";
import { makeWaker, type Waker } from "../residency/wake.ts";
import { isNewcomer } from "../residency/wake.ts";
import { pairsAfterScan } from "./pairs-after-scan.ts";
import type { PartitionState } from "./partition-state.ts";
import { dismiss, dismissRemoved, linger } from "./take-leave.ts";

export interface BufferOptions {
  readonly partitions: number;
  readonly bounds: WindowBounds;
  readonly residency: Residency;
}

/** Between two of so many rows or jobs, others have their turn. */
const sliceSize = 2_000;

/**
 * Brings a partition in line with a job set: takes leave of the deleted, revises the changed, brings in the new where
 * their pair is here already. A job that nothing happens to costs nothing: its buffer is made when its first chunk
 * comes.
 *
 * The first time, all rows of the claim are looked at; after that only what differs from the set before.
 */
export const adoptJobs = Effect.fnUntraced(function* (state: PartitionState, set: JobSet, options: BufferOptions) {
  const waker = yield* makeWaker(state, options);
  state.isOwn = (pairKey) => isOfPartition(state, pairKey, options);
  if (state.isAdopted) yield* adoptChanges(state, set, options, waker);
  else {
    yield* adoptRows(state, set, options, waker);
    state.wake = waker.wake;
    state.isAdopted = true;
  }
  yield* dismissRemoved(state, options);
  yield* givePlaces(state, options.residency, waker);
});

const refuseDamaged = (state: PartitionState, job: string) =>
  Effect.logError("A job's row does not decode: the job is not started, nothing of it is lost or changed.", {
    partition: state.partition,
    job,
  });

/** What the rows of a claim call for, job by job. Most call for nothing. */
interface Findings {
  readonly closed: Array<string>;
  readonly orphaned: Array<Pick<Row, "job" | "pairKey" | "start" | "counted">>;
  readonly ofOtherPair: Array<string>;
  readonly unfinished: Array<{ readonly job: string; readonly cursor: number }>;
  readonly inDoubt: Array<string>;
}

const adoptRows = Effect.fnUntraced(function* (
  state: PartitionState,
  set: JobSet,
  options: BufferOptions,
  waker: Waker,
) {
  const { closed, inDoubt, ofOtherPair, orphaned, unfinished } = yield* lookThroughRows(state, set);
  for (const job of closed) state.rows.take(job);
  for (const row of orphaned) state.orphan(row.job, row);
  // The customer and dataset of a job never change: one of another pair is another job under the same name, and the
  // one before was deleted while no owner ran.
  for (const job of ofOtherPair) yield* dismiss(state, job, options);
  state.jobs = set;
  for (const job of state.claim.damaged) if (briefOf(set, job) !== undefined) yield* refuseDamaged(state, job);
  // By age: who is furthest behind is the first to get a place.
  for (const { job } of unfinished.toSorted((a, b) => a.cursor - b.cursor)) {
    const row = state.rows.get(job)!;
    waker.queue(job, row, isNewcomer(row));
  }
  // Before the reader begins: what it finds must find them as they were left.
  for (const job of inDoubt) yield* rouseInDoubt(state, job, options, waker);
});

const lookThroughRows = Effect.fnUntraced(function* (state: PartitionState, set: JobSet) {
  const findings: Findings = { closed: [], orphaned: [], ofOtherPair: [], unfinished: [], inDoubt: [] };
  const holdsPair = yield* Effect.cached(pairsAfterScan(state));
  let seen = 0;
  for (const row of state.rows) {
    if (++seen % sliceSize === 0) yield* Effect.yieldNow;
    const brief = briefOf(set, row.job);
    for (const life of row.former ?? []) state.close(row.job, life);
    if (row.deleted) {
      findings.closed.push(row.job);
      state.close(row.job, row);
    } else if (brief === undefined) findings.orphaned.push(row);
    else if (brief.pairKey !== row.pairKey) findings.ofOtherPair.push(row.job);
    else if (row.books.pending.records > 0) findings.unfinished.push({ job: row.job, cursor: row.cursor });
    // What lies after the scan may have been counted and pushed without a row that tells of it.
    else if (brief.revision !== row.revision && (yield* holdsPair)(row.pairKey)) findings.inDoubt.push(row.job);
  }
  return findings;
});

/** A job with nothing pending in its row that may have been pushed under an earlier revision than the newest. */
const rouseInDoubt = Effect.fnUntraced(function* (
  state: PartitionState,
  job: string,
  { residency }: BufferOptions,
  waker: Waker,
) {
  const newest = state.jobs.byId.get(job);
  const row = state.rows.get(job);
  if (newest === undefined || row === undefined) return;
  for (const other of state.jobs.byPair.get(row.pairKey) ?? []) {
    if (other.job.id !== job && !state.buffers.has(other.job.id) && !state.waitingBuffers.has(other.job.id)) {
      waker.rouse(other, state.position + 1);
    }
  }
  waker.holdOrphans(row.pairKey);
  // Without a place it begins under the newest revision: then what was pushed unnoticed arrives twice.
  const effective = residency.mayEnter(false) ? yield* unfinishedRevision(newest, row) : undefined;
  // Another partition may have taken the last place while that was asked.
  if (effective === undefined || !residency.mayEnter(false)) return waker.rouse(newest, state.position + 1);
  waker.enter({ newest, effective }, { row: state.rows.take(job)!, scan: state.scan }, false);
});

const adoptChanges = Effect.fnUntraced(function* (
  state: PartitionState,
  set: JobSet,
  options: BufferOptions,
  waker: Waker,
) {
  const changed = [...changedIds(state.jobs, set)];
  // A chunk may come in the middle of this, and would find the set before.
  for (const job of changed) {
    const now = briefOf(set, job)?.pairKey;
    const life = state.lifeOf(job);
    if (life === undefined || (now === life.pairKey && !isIdleOrphan(state, job))) continue;
    // Of one that the store cannot explain, only another job of the same name says that it is gone.
    if (now === undefined && state.orphans.has(job)) continue;
    if (now === undefined && life.counted > state.position) {
      linger(state, job, life);
      continue;
    }
    state.leavingNow.add(job);
    yield* dismiss(state, job, options);
  }
  // From here on in one step: the set, and what of it is here already.
  state.jobs = set;
  state.leavingNow.clear();
  const refused: Array<string> = [];
  for (const job of changed) if (briefOf(set, job) !== undefined) state.orphans.take(job);
  for (const job of changed) {
    const brief = briefOf(set, job);
    if (brief === undefined || !state.isOwn(brief.pairKey)) continue;
    if (state.claim.damaged.has(job)) refused.push(job);
    else takeUp(state, set, job, brief, waker);
  }
  for (const [pairKey, chunks] of state.newerChunks.adopted(set.number)) {
    for (const each of chunks) if (!state.isDue(pairKey, each.first)) state.unclaimedChunks.note(pairKey, each);
  }
  for (const job of refused) yield* refuseDamaged(state, job);
});

/**
 * The job of a row that nobody could explain, with nothing pending, and back. What came meanwhile was not dealt to it:
 * it begins anew, for a row says that it holds all from its start on.
 */
const isIdleOrphan = (state: PartitionState, job: string): boolean =>
  state.orphans.has(job) && state.rows.get(job)?.books.pending.records === 0;

const isOfPartition = (state: PartitionState, pairKey: string, { partitions }: BufferOptions): boolean => {
  const [customer = "", dataset = ""] = pairKey.split(".");
  return partitionOf(customer, dataset, partitions) === state.partition;
};

/** A job that is new, has a new revision, or is removed and in its grace, or is so no more. */
const takeUp = (
  state: PartitionState,
  set: JobSet,
  job: string,
  { enabled, pairKey, revision }: JobBrief,
  waker: Waker,
): void => {
  const buffer = state.buffers.get(job);
  const newest = () => set.byId.get(job)!;
  if (buffer !== undefined) {
    // What went back to before its addition is kept disabled for its grace, at the revision with which it comes again.
    if (buffer.newest.revision !== revision || buffer.newest.job.enabled !== enabled) buffer.revise(newest());
    return;
  }
  const waiting = state.waiting.get(job);
  const row = state.waitingBuffers.get(job)?.rowNow() ?? state.rows.get(job);
  // It may have been enabled or disabled; it keeps its place in the line.
  if (row !== undefined && (waiting !== undefined || row.books.pending.records > 0)) {
    waker.queue(job, row, waiting?.newcomer ?? isNewcomer(row));
  }
  if (state.newerChunks.has(pairKey)) return takeUpEarly(state, pairKey, waker);
  if (state.waitingBuffers.has(job)) return;
  if (state.byPair.find(pairKey) !== undefined) waker.rouse(newest(), state.position + 1);
};

/** Of a pair whose chunks came before this set: who is new begins with them, and the others are here too. */
const takeUpEarly = (state: PartitionState, pairKey: string, waker: Waker): void => {
  for (const stored of state.jobs.byPair.get(pairKey) ?? []) {
    const { id } = stored.job;
    if (state.buffers.has(id) || state.waitingBuffers.has(id)) continue;
    const due = state.newerChunks.dueTo(id, pairKey, state.formerLives.endOf(id, pairKey));
    if (due === undefined || state.rows.has(id)) waker.rouse(stored, state.position + 1);
    else waker.begin(stored, due);
  }
  waker.holdOrphans(pairKey);
};

/** The rows of a log that is not the one they were written for: what was pending there is lost, and said so. */
export const rebase = Effect.fnUntraced(function* (state: PartitionState) {
  const millis = yield* Clock.currentTimeMillis;
  const before = [...state.rows];
  for (const row of before) {
    const { pending } = row.books;
    if (pending.records > 0) {
      const [customer = "", dataset = ""] = row.pairKey.split(".");
      const range = { firstSequence: row.cursor + 1, lastSequence: row.counted };
      state.receipts.push({ customer, dataset, job: row.job, ...range, ...pending, reason: "logLost", millis });
    }
    state.rows.put(rebasedRow(row));
  }
});

const rebasedRow = (row: Row): Row => {
  const { pending } = row.books;
  const books = addBooks(row.books, {
    ...emptyBooks,
    expired: pending,
    pending: { records: -pending.records, bytes: -pending.bytes },
  });
  return { ...row, books, start: 0, cursor: 0, counted: 0, cuts: [], snapshot: undefined, former: undefined };
};
