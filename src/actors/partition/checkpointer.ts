import { Clock, Effect, Metric } from "effect";
import {
  checkpointFailuresTotal,
  checkpointRowsTotal,
  checkpointsTotal,
} from "../../observability/delivery-metrics.ts";
import { recordsWrittenOff } from "../../observability/sweep-metrics.ts";
import type { Fenced } from "../ports/checkpoints.ts";
import type { PartitionState, Rowed } from "./partition-state.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { jobOfUnclaimed } from "./unclaimed-chunks.ts";

export interface CheckpointerOptions {
  readonly owner: string;
  readonly checkpointMillis: number;
  readonly checkpointUrgentMillis: number;
  readonly checkpointCountMillis: number;
  /** Without a checkpoint that lands for so long, pushes pause. */
  readonly checkpointSilenceMillisMax: number;
}

/** An idle owner says so often enough that nobody takes its partition for abandoned (3 s). */
const renewMillis = 2_000;
/** A row that changes all the time must still not be written with every checkpoint of the others. */
const failureMillis = 250;

/**
 * Writes the partition's state: urgently when a push waits for it, soon when a cursor moved, rarely for mere counts.
 */
export const checkpointLoop = (state: PartitionState, options: CheckpointerOptions): Effect.Effect<never, Fenced> =>
  Effect.gen(function* () {
    let countedMillis = yield* steadyMillis;
    state.lastCheckpointMillis = countedMillis;
    while (true) {
      yield* state.checkpointWanted.wait(options.checkpointUrgentMillis);
      const now = yield* steadyMillis;
      const since = now - state.lastCheckpointMillis;
      if (since < options.checkpointUrgentMillis) {
        yield* Effect.sleep(options.checkpointUrgentMillis - since);
        continue;
      }
      const countsDue = now - countedMillis >= options.checkpointCountMillis;
      const work = workOf(state, countsDue);
      const due =
        work.urgent ||
        (work.rows.length > 0 && since >= options.checkpointMillis) ||
        (countsDue && state.position > state.scan) ||
        since >= renewMillis;
      if (!due) {
        yield* Effect.sleep(Math.min(options.checkpointUrgentMillis, options.checkpointMillis));
        continue;
      }
      if (countsDue) countedMillis = now;
      // Never interrupted half-way: the rows would not know whether they are durable.
      const landed = yield* Effect.uninterruptible(checkpoint(state, options.owner, work.rows));
      if (landed) continue;
      state.mayPush = now - state.lastCheckpointMillis < options.checkpointSilenceMillisMax;
      yield* Effect.sleep(failureMillis);
    }
  });

const workOf = (state: PartitionState, counts: boolean) => {
  const rows: Array<Rowed> = [];
  let urgent = state.receipts.length > 0 || state.leaving.size > 0 || state.isRebased;
  for (const buffer of state.rowed()) {
    const dirtiness = buffer.dirtiness();
    if (dirtiness === "urgent") urgent = true;
    if (dirtiness === "urgent" || dirtiness === "settled" || (counts && dirtiness === "counted")) rows.push(buffer);
  }
  return { rows, urgent };
};

/** One checkpoint. False: it did not land and everything in it is dirty again. */
export const checkpoint = Effect.fnUntraced(function* (
  state: PartitionState,
  /** null gives the partition up. */
  owner: string | null,
  buffers: Iterable<Rowed>,
): Effect.fn.Return<boolean, Fenced> {
  if (mayBookUnclaimed(state) && (owner === null || state.unclaimedChunks.isDue(yield* steadyMillis)))
    yield* bookUnclaimed(state);
  const leaving = [...state.leaving.values()];
  const receipts = state.receipts;
  state.receipts = [];
  const wasRebased = state.isRebased;
  // A receipt without its row would tell of a loss that a restart does not know of.
  const taken = new Set(buffers);
  // The scan is to pass what there are receipts of now: a job that comes later would find those chunks before it. So
  // nothing may be left that holds the scan back.
  if (receipts.some(({ job }) => job === jobOfUnclaimed))
    for (const each of state.rowed()) if (each.dirtiness() !== "clean") taken.add(each);
  for (const { customer, dataset, job } of receipts) {
    const buffer = state.buffers.get(job) ?? state.waitingBuffers.get(job);
    if (buffer !== undefined) taken.add(buffer);
    // Nor would it know, of a job that began after those that were nobody's, that it did.
    if (job === jobOfUnclaimed) for (const each of state.byPair.get(`${customer}.${dataset}`)) taken.add(each);
  }
  for (const buffer of taken) state.inFlight.add(buffer);
  // Leaving rows first: a new job of the same name has its row under the same subject.
  const written = [
    ...leaving.map((buffer) => buffer.writeRow(true)),
    ...Array.from(taken, (buffer) => buffer.writeRow()),
  ];
  // Of another log they are true only together with the register that says so.
  const rows = [...(wasRebased ? state.rows : []), ...written.map(({ row }) => state.withFormer(row))];
  // After the rows were taken, so that only what is still unwritten holds the scan back.
  let scan = Math.min(state.position, state.newerChunks.scanBound(), state.unclaimedChunks.scanBound());
  for (const buffer of state.rowed()) scan = Math.min(scan, buffer.scanBound());
  scan = Math.max(scan, state.scan);
  const register = state.register(owner, scan);
  const landed = yield* state.claim.write({ register, rows, receipts }).pipe(
    Effect.ensuring(Effect.sync(() => state.inFlight.clear())),
    Effect.as(true),
    Effect.catchTag("CheckpointUnavailable", ({ detail }) =>
      Effect.as(
        Effect.logWarning("A checkpoint did not land; it is repeated.", { partition: state.partition, detail }),
        false,
      ),
    ),
  );
  if (!landed) {
    for (const { failed } of written) failed();
    state.receipts = [...receipts, ...state.receipts];
    yield* Metric.update(checkpointFailuresTotal, 1);
    return false;
  }
  state.scan = scan;
  state.formerLives.forget(scan);
  if (wasRebased) state.isRebased = false;
  state.storedLowWater = register.lowWater;
  // Not before: the mark of a write that did not land is no mark, and the next one may be lower.
  state.continuity.forgetDuplicates(register.lowWater);
  state.lastCheckpointMillis = yield* steadyMillis;
  for (const buffer of leaving) {
    // Another job of that name may have been dismissed meanwhile.
    if (state.leaving.get(buffer.jobId) === buffer) state.leaving.delete(buffer.jobId);
  }
  if (!state.mayPush) {
    state.mayPush = true;
    for (const buffer of state.buffers.values()) buffer.pump();
  }
  for (const each of written) each.landed();
  yield* Metric.update(checkpointsTotal, 1);
  yield* Metric.update(checkpointRowsTotal, rows.length);
  return true;
});

/** What may turn out to have no job either is older: a restart could not tell which of them have receipts. */
const mayBookUnclaimed = ({ newerChunks, unclaimedChunks }: PartitionState): boolean =>
  newerChunks.size === 0 || unclaimedChunks.isFull();

/** They are stored with the register whose scan passes what they tell of: once, whenever this ends. */
const bookUnclaimed = Effect.fnUntraced(function* (state: PartitionState) {
  const receipts = state.unclaimedChunks.take(state.position, yield* Clock.currentTimeMillis);
  if (receipts.length === 0) return;
  state.receipts.push(...receipts);
  let records = 0;
  for (const receipt of receipts) records += receipt.records;
  yield* Metric.update(recordsWrittenOff("unclaimed"), records);
  yield* Effect.logWarning("Records were stored for which there is no push job: they have receipts.", {
    partition: state.partition,
    pairs: receipts.length,
    records,
  });
});
