import { Clock, Effect } from "effect";
import { BufferActors } from "../buffer/actor.ts";
import type { Buffer } from "../buffer/buffer.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import type { Residency } from "./residency.ts";
import { isNewcomer, type Waker } from "./wake.ts";
import { WaitingBuffer } from "./waiting-buffer.ts";

/** When a buffer was first seen to have nothing to do, and where its cursor was. */
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

/** Nothing of it would be lost if it were made anew from its durable row, and nothing is going on. */
export const isQuiescent = (state: PartitionState, buffer: Buffer): boolean =>
  // A disabled one is fed by nobody.
  (buffer.live || !buffer.effective.job.enabled) &&
  buffer.ledger.pendingRecords === 0 &&
  buffer.window.isEmpty() &&
  buffer.newest === buffer.effective &&
  buffer.dirtiness() === "clean" &&
  !state.inFlight.has(buffer) &&
  buffer.actor?.delivery() === "idle";

/** Its row says all that there is to say, and its destination takes nothing at present. */
const isStuck = (state: PartitionState, buffer: Buffer): boolean => {
  const delivery = buffer.actor?.delivery();
  return (
    !buffer.live &&
    (delivery === "backingOff" || delivery === "suspended" || delivery === "quarantined" || delivery === "idle") &&
    buffer.newest === buffer.effective &&
    buffer.dirtiness() === "clean" &&
    !state.inFlight.has(buffer)
  );
};

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
  const nowMillis = yield* Clock.currentTimeMillis;
  let seen = 0;
  let evicted = 0;
  const rested = new Set<string>();
  for (const buffer of [...state.buffers.values()]) {
    if (++seen % sliceBuffers === 0) yield* Effect.yieldNow;
    if (state.isClosing) return;
    if (buffer.lastSuccessMillis !== undefined) residency.establish(buffer);
    const quiescent = isQuiescent(state, buffer);
    const restedMillis = idleFor(watch, buffer, quiescent || isStuck(state, buffer), buffer.cursor, nowMillis);
    if (quiescent && restedMillis >= residency.idleMillisMin()) rested.add(buffer.pairKey);
    if (quiescent || restedMillis < residency.stuckMillisMin() || evicted >= evictionsMax) continue;
    if (residency.isFull() && isAnybodyWaiting(state)) {
      evicted += 1;
      residency.counts.evicted += 1;
      yield* evict(state, residency, waker, buffer);
    }
  }
  for (const buffer of state.waitingBuffers.values()) {
    const clean = buffer.dirtiness() === "clean" && !state.inFlight.has(buffer);
    const { cursor } = buffer.rowNow();
    if (idleFor(watch, buffer, clean, cursor, nowMillis) >= residency.idleMillisMin()) rested.add(buffer.pairKey);
  }
  for (const pairKey of rested) yield* hibernate(state, residency, waker, pairKey);
});

const isAnybodyWaiting = ({ waiting }: PartitionState): boolean => {
  for (const { enabled } of waiting.values()) if (enabled) return true;
  return false;
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

/** The buffers of a pair leave memory together, or stay together. */
const hibernate = Effect.fnUntraced(function* (
  state: PartitionState,
  residency: Residency,
  waker: Waker,
  pairKey: string,
) {
  const mayRest = (each: Buffer | WaitingBuffer): boolean =>
    each instanceof WaitingBuffer
      ? each.dirtiness() === "clean" && !state.inFlight.has(each)
      : isQuiescent(state, each);
  const actors = yield* BufferActors;
  const all = [...state.byPair.get(pairKey)];
  if (state.isClosing || !all.every(mayRest)) return;
  const rows = all.map((each) => ({ each, row: rowOf(each) }));
  for (const each of all) if (!(each instanceof WaitingBuffer)) yield* actors.stop(each);
  // Closing a destination may take a while, in which the reader counts on.
  const stillRests = state.byPair.get(pairKey).length === all.length && all.every((each) => isUntouched(state, each));
  for (const { each, row } of rows) {
    if (!stillRests) {
      if (!(each instanceof WaitingBuffer)) yield* startAgain(state, each, row.snapshot);
      continue;
    }
    if (each instanceof WaitingBuffer) {
      state.removeWaiting(each);
      if (row.books.pending.records > 0) waker.queue(each.jobId, row, isNewcomer(row));
      else state.waiting.delete(each.jobId);
    } else {
      state.remove(each);
      residency.leave(each);
      residency.counts.hibernated += 1;
    }
    state.rows.put(row);
  }
});

/** Only of what is clean: then it is the durable row, but for how far was counted. */
const rowOf = (each: Buffer | WaitingBuffer) =>
  each instanceof WaitingBuffer ? each.rowNow() : each.writeRow().row;

const isUntouched = (state: PartitionState, each: Buffer | WaitingBuffer): boolean =>
  each.dirtiness() === "clean" &&
  !state.inFlight.has(each) &&
  (each instanceof WaitingBuffer || (state.buffers.get(each.jobId) === each && each.newest === each.effective));

/** Its place goes to another; its row, with the batch that is in the balance, waits for the next one. */
const evict = Effect.fnUntraced(function* (
  state: PartitionState,
  residency: Residency,
  waker: Waker,
  buffer: Buffer,
) {
  const actors = yield* BufferActors;
  if (state.isClosing || !isStuck(state, buffer)) return;
  const { row } = buffer.writeRow();
  yield* actors.stop(buffer);
  if (state.buffers.get(buffer.jobId) !== buffer) return;
  if (!isUntouched(state, buffer)) return yield* startAgain(state, buffer, row.snapshot);
  state.remove(buffer);
  residency.leave(buffer);
  state.addWaiting(new WaitingBuffer(row, true, () => state.position));
  waker.queue(buffer.jobId, row, isNewcomer(row));
});

/** Something came while it was being stopped: it goes on as after a crash, from what its row says. */
const startAgain = Effect.fnUntraced(function* (state: PartitionState, buffer: Buffer, saved: unknown) {
  const actors = yield* BufferActors;
  if (state.isClosing || state.buffers.get(buffer.jobId) !== buffer) return;
  buffer.reset();
  yield* actors.start(buffer, state.incarnation, saved, buffer.newest !== buffer.effective);
});
