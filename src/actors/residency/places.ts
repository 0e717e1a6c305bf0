import { Effect } from "effect";
import { pairKey } from "../../domain/partition.ts";
import type { StoredJob } from "../../domain/push-job.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import type { Row } from "../ports/checkpoints.ts";
import { Jobs } from "../ports/jobs.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { Residency } from "./residency.ts";
import type { Waker } from "./wake.ts";

/** So many are looked at in one go: what cannot have a place now is looked at again in a moment. */
const triesMax = 1_000;

/** Gives places to buffers that wait for one, the established first, in the order in which they began to wait. */
export const givePlaces = Effect.fnUntraced(function* (state: PartitionState, residency: Residency, waker: Waker) {
  for (const newcomers of [false, true]) {
    const next: Array<string> = [];
    for (const [job, { enabled, newcomer }] of state.waiting) {
      if (next.length >= triesMax) break;
      if (enabled && newcomer === newcomers) next.push(job);
    }
    for (const job of next) {
      if (!residency.isFull() && (yield* give(state, residency, waker, job))) continue;
      residency.miss(newcomers, yield* steadyMillis);
      break;
    }
  }
});

/** False: neither this one nor another of its kind may have a place now. */
const give = Effect.fnUntraced(function* (state: PartitionState, residency: Residency, waker: Waker, job: string) {
  const before = state.waitingBuffers.get(job);
  // Whether its row is durable is known once the write has an answer.
  if (before !== undefined && state.inFlight.has(before)) return true;
  const newest = state.jobs.byId.get(job);
  if (newest === undefined) return true;
  const known = before === undefined ? state.rows.get(job) : before.origin().row;
  const first = before?.origin().uncounted?.first ?? state.position + 1;
  const mayBePushed = known !== undefined && (known.books.pending.records > 0 || first <= state.doubtTo);
  const effective = mayBePushed ? yield* unfinishedRevision(newest, known) : newest;
  // Asking for it may have taken a while: what the chunks of that time did is seen here.
  const entry = state.waiting.get(job);
  const waiting = state.waitingBuffers.get(job);
  if (state.isClosing || entry === undefined) return true;
  if (waiting !== undefined && state.inFlight.has(waiting)) return true;
  if (!residency.mayEnter(entry.newcomer)) return false;
  state.waiting.delete(job);
  const jobs = { newest, effective };
  if (waiting === undefined) {
    const row = state.rows.take(job)!;
    waker.enter(jobs, { row, scan: state.scan }, entry.newcomer);
    // All buffers of a pair are here, or none. After it: they ask for places of their own.
    for (const other of state.jobs.byPair.get(pairKeyOf(newest)) ?? []) {
      if (!isHere(state, other.job.id)) waker.rouse(other, state.position + 1);
    }
    waker.holdOrphans(pairKeyOf(newest));
    return true;
  }
  state.removeWaiting(waiting);
  const { row, start, uncounted } = waiting.origin();
  // Nothing pending in the row: its cursor may be taken for as far as the first chunk that was counted since.
  const scan = uncounted === undefined ? state.position : uncounted.first - 1;
  waker.enter(jobs, row === undefined ? { row, start } : { row, scan }, entry.newcomer, uncounted);
  return true;
});

const pairKeyOf = ({ job }: StoredJob): string => pairKey(job.customer, job.dataset);

const isHere = (state: PartitionState, job: string): boolean => state.buffers.has(job) || state.waitingBuffers.has(job);

/**
 * The revision to begin with. What may have been pushed before is finished under the one that it was pushed under,
 * before a newer one takes effect: otherwise it would be cut anew, and arrive twice.
 */
export const unfinishedRevision = Effect.fnUntraced(function* (newest: StoredJob, row: Row) {
  if (newest.revision === row.revision) return newest;
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
