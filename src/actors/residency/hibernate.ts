import { Effect } from "effect";
import { BufferActors } from "../buffer/actor.ts";
import type { Buffer } from "../buffer/buffer.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import type { Residency } from "./residency.ts";
import { isNewcomer, type Waker } from "./wake.ts";
import { WaitingBuffer } from "./waiting-buffer.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";

/** When, by the steady clock, a buffer was first seen to have nothing to do, and where its cursor was. */
interface Idle {
  readonly millis: number;
  readonly cursor: number;
}

/** What the reaper remembers of one partition. */
export class IdleWatch {
  readonly idle = new WeakMap<object, Idle>();
}

/** Between two of so many, others have their turn. */
const sliceBuffers = 1_000;
const evictionsMax = 100;

/** Everything that there is to say of it is in its durable row. */
const isWritten = (state: PartitionState, each: Buffer | WaitingBuffer): boolean =>
  each.dirtiness() === "clean" && !state.inFlight.has(each) && !needsRow(each);

/** Nothing came for it yet, so nothing asked for a row of it; made anew from one, it would take that for durable. */
const needsRow = (each: Buffer | WaitingBuffer): boolean =>
  !(each instanceof WaitingBuffer) && each.dirtiness() === "clean" && !each.isAnchored();

/** Nothing of it would be lost if it were made anew from its durable row, and nothing is going on. */
const isQuiescent = (state: PartitionState, buffer: Buffer): boolean =>
  // A disabled one is fed by nobody.
  (buffer.live || !buffer.effective.job.enabled) &&
  (buffer.isQuiescent() || isPastDoubt(state, buffer)) &&
  isWritten(state, buffer);

/**
 * It waited under its earlier revision for what might have been pushed before this owner, and nothing came. From here
 * on it is the newest revision's.
 */
const isPastDoubt = (state: PartitionState, { actor, ledger, window }: Buffer): boolean =>
  state.position >= state.doubtTo && ledger.pendingRecords === 0 && window.isEmpty() && actor?.delivery() === "idle";

/** States in which a lagging buffer waits for something else than a place. */
const stuckStates: ReadonlySet<string> = new Set(["idle", "backingOff", "suspended", "quarantined"]);

/** It lags, and its destination takes nothing at present, or nobody feeds it. */
const isStuck = (state: PartitionState, buffer: Buffer): boolean =>
  !buffer.live &&
  stuckStates.has(buffer.actor?.delivery() ?? "") &&
  buffer.newest === buffer.effective &&
  isWritten(state, buffer);

interface Reaping {
  readonly state: PartitionState;
  readonly residency: Residency;
  readonly waker: Waker;
  readonly actors: BufferActors["Service"];
  readonly watch: IdleWatch;
}

/**
 * Looks at every buffer of the partition that is in memory once. Pairs that have been quiescent for long enough
 * hibernate; while others wait for a place, buffers that are stuck give theirs up and wait at the end of the line.
 */
export const reapPartition = Effect.fnUntraced(function* (
  state: PartitionState,
  residency: Residency,
  waker: Waker,
  watch: IdleWatch,
) {
  const reaping: Reaping = { state, residency, waker, watch, actors: yield* BufferActors };
  const nowMillis = yield* steadyMillis;
  const rested = new Set<string>();
  let seen = 0;
  let evictions = evictionsMax;
  for (const buffer of [...state.buffers.values(), ...state.waitingBuffers.values()]) {
    if (++seen % sliceBuffers === 0) yield* Effect.yieldNow;
    if (state.isClosing) return;
    if (buffer instanceof WaitingBuffer) {
      const restedMillis = idleFor(watch, buffer, isWritten(state, buffer), buffer.rowNow().cursor, nowMillis);
      if (restedMillis >= residency.idleMillisMin()) rested.add(buffer.pairKey);
    } else if (lookAt(reaping, buffer, nowMillis, rested, evictions > 0)) evictions -= 1;
  }
  for (const pairKey of rested) {
    if (++seen % sliceBuffers === 0) yield* Effect.yieldNow;
    if (state.isClosing) return;
    hibernate(reaping, pairKey);
  }
});

/** Answers whether it lost its place. */
const lookAt = (
  reaping: Reaping,
  buffer: Buffer,
  nowMillis: number,
  rested: Set<string>,
  mayEvict: boolean,
): boolean => {
  const { residency, state, watch } = reaping;
  // The others had their turn meanwhile: it may have left.
  if (state.buffers.get(buffer.jobId) !== buffer) return false;
  if (buffer.lastSuccessMillis !== undefined) residency.establish(buffer);
  if (needsRow(buffer)) buffer.beUrgent();
  const quiescent = isQuiescent(state, buffer);
  const stuck = !quiescent && isStuck(state, buffer);
  const restedMillis = idleFor(watch, buffer, quiescent || stuck, buffer.cursor, nowMillis);
  if (quiescent && restedMillis >= residency.idleMillisMin()) rested.add(buffer.pairKey);
  if (!stuck || !mayEvict || restedMillis < residency.stuckMillisMin()) return false;
  if (!residency.isWanted(buffer, nowMillis)) return false;
  evict(reaping, buffer);
  return true;
};

const idleFor = ({ idle }: IdleWatch, of: object, isIdle: boolean, cursor: number, nowMillis: number): number => {
  if (!isIdle) {
    idle.delete(of);
    return -1;
  }
  const since = idle.get(of);
  if (since !== undefined && since.cursor === cursor) return nowMillis - since.millis;
  idle.set(of, { millis: nowMillis, cursor });
  return 0;
};

/** The buffers of a pair leave memory together, or stay together. In one step: no chunk comes in between. */
const hibernate = (reaping: Reaping, pairKey: string): void => {
  const { actors, residency, state, waker } = reaping;
  const all = state.byPair.get(pairKey);
  if (!all.every((each) => (each instanceof WaitingBuffer ? isWritten(state, each) : isQuiescent(state, each)))) return;
  for (const each of all) {
    if (each instanceof WaitingBuffer) {
      const row = each.rowNow();
      state.removeWaiting(each);
      if (row.books.pending.records > 0) waker.queue(row.job, row, isNewcomer(row));
      else state.waiting.delete(row.job);
      state.rows.put(row);
      continue;
    }
    // Of what is clean: it is the durable row, but for how far was counted.
    const { row } = each.writeRow();
    actors.stopNow(each);
    state.remove(each);
    residency.leave(each);
    residency.counts.hibernated += 1;
    state.rows.put(row);
  }
};

/** Its place goes to another; its row, with the batch that is in the balance, waits for the next one. */
const evict = ({ actors, residency, state, waker }: Reaping, buffer: Buffer): void => {
  const { row } = buffer.writeRow();
  const isRefused = buffer.actor?.flow() === "overloaded.refuse";
  actors.stopNow(buffer);
  // A sweep that is under way may know it: not any more.
  buffer.windowNumber += 1;
  state.remove(buffer);
  residency.leave(buffer);
  residency.counts.evicted += 1;
  state.addWaiting(new WaitingBuffer(row, true, () => state.position));
  waker.queue(buffer.jobId, row, isNewcomer(row));
  if (isRefused) state.waiting.set(row.job, { ...state.waiting.get(row.job)!, refusing: row.pairKey });
};
