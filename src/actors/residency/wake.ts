import { Effect } from "effect";
import { emptyBooks } from "../../domain/books.ts";
import { pairKey } from "../../domain/partition.ts";
import type { StoredJob } from "../../domain/push-job.ts";
import { BufferActors } from "../buffer/actor.ts";
import { Buffer, type BufferOrigin } from "../buffer/buffer.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { Chunks } from "../partition/newer-chunks.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import type { Row } from "../ports/checkpoints.ts";
import type { Chunk } from "../ports/log.ts";
import type { Residency } from "./residency.ts";
import { firstRow, WaitingBuffer } from "./waiting-buffer.ts";

export interface WakeOptions {
  readonly bounds: WindowBounds;
  readonly residency: Residency;
}

/** How buffers come in. Nothing here waits: it happens between a message of the log and its being dealt out. */
export interface Waker {
  /** All jobs of a pair, for a chunk of it at this sequence. */
  readonly wake: PartitionState["wake"];
  /** One job, whose pair is here already or about to be: resident if it may, else waiting. */
  readonly rouse: (stored: StoredJob, sequence: number) => void;
  /** Orphans of a pair that is here or about to be, with records pending: they wait, and are given no place. */
  readonly holdOrphans: (pairKey: string) => void;
  /** A job that nothing is known of yet, for chunks that came before it was: it waits, and is given a place. */
  readonly begin: (stored: StoredJob, early: Chunks) => void;
  /** Makes a buffer that has a place, and starts its actor. */
  readonly enter: (
    jobs: { readonly newest: StoredJob; readonly effective: StoredJob },
    origin: BufferOrigin,
    newcomer: boolean,
    counted?: { readonly first: number; readonly millis: number; readonly records: number; readonly bytes: number },
  ) => Buffer;
  /** Puts a job that has records pending in line for a place. Its row hibernates, or is dealt to as it waits. */
  readonly queue: (job: string, row: Row, newcomer: boolean) => void;
}

export const makeWaker = (
  state: PartitionState,
  { bounds, residency }: WakeOptions,
): Effect.Effect<Waker, never, BufferActors> => {
  const queue: Waker["queue"] = (job, row, newcomer) => {
    const newest = state.jobs.byId.get(job);
    // A disabled job has nothing to deliver, unless a batch of the revision before may have been pushed already.
    const enabled = newest !== undefined && (newest.job.enabled || newest.revision !== row.revision);
    const refusing = state.waiting.get(job)?.refusing;
    state.waiting.set(job, { newcomer, enabled, lowWaterBound: row.cursor, refusing });
  };

  return Effect.gen(function* () {
    const actors = yield* BufferActors;

    const enter: Waker["enter"] = ({ effective, newest }, origin, newcomer, counted) => {
      const { row } = origin;
      const buffer = new Buffer(state.host(bounds), newest, effective, origin);
      state.add(buffer);
      residency.enter(buffer, newcomer);
      if (counted !== undefined) {
        // What was counted while it waited was not fed to anybody: it is read again.
        buffer.count(counted.first, counted.millis, headerOf(pairKeyOf(newest), counted));
        if (buffer.live) buffer.lag(buffer.cursor);
      }
      // A snapshot is of the revision it was made under: under another one its batch has another end.
      const saved = row?.revision === effective.revision ? row.snapshot : undefined;
      actors.startNow(buffer, state.incarnation, saved, effective !== newest);
      if (state.isRebased && row !== undefined) buffer.beUrgent();
      if (!buffer.live) state.sweepWanted.raise();
      return buffer;
    };

    const wait = (row: Row, isStored: boolean) => {
      state.addWaiting(new WaitingBuffer(row, isStored, () => state.position));
      queue(row.job, row, isNewcomer(row));
    };

    const refuse: typeof wait = (row, isStored) => {
      residency.counts.refused += 1;
      wait(row, isStored);
    };

    const holdOrphans: Waker["holdOrphans"] = (key) => {
      for (const job of state.orphans.ofPair(key)) {
        const row = state.rows.get(job);
        if (row === undefined || row.books.pending.records === 0) continue;
        state.rows.take(job);
        wait(row, true);
      }
    };

    const begin: Waker["begin"] = (stored, early) => {
      const { id } = stored.job;
      if (state.claim.damaged.has(id) || state.leavingNow.has(id)) return;
      const row = firstRow(id, pairKeyOf(stored), stored.revision, early.first - 1, emptyBooks);
      const buffer = new WaitingBuffer(row, false, () => state.position);
      buffer.count(early.first, early.millis, early);
      state.addWaiting(buffer);
      queue(id, row, true);
    };

    const rouse: Waker["rouse"] = (stored, sequence) => {
      const { id } = stored.job;
      if (state.claim.damaged.has(id) || state.leavingNow.has(id)) return;
      // A chunk that the reader still deals out while the partition is given up starts nothing, but it is counted: the
      // scan passes it.
      const mayEnter = (newcomer: boolean) => !state.isClosing && residency.mayEnter(newcomer);
      const row = state.rows.take(id);
      if (row === undefined) {
        const start = Math.max(sequence - 1, state.formerLives.endOf(id, pairKeyOf(stored)));
        state.newerChunks.cut(pairKeyOf(stored));
        const both = { newest: stored, effective: stored };
        if (mayEnter(true)) enter(both, { row: undefined, start }, true);
        else refuse(firstRow(id, pairKeyOf(stored), stored.revision, start, emptyBooks), false);
        return;
      }
      if (row.books.pending.records > 0 || !mayEnter(false)) return refuse(row, true);
      residency.counts.woken += 1;
      enter({ newest: stored, effective: stored }, { row, scan: state.position }, false);
    };

    const wake: Waker["wake"] = (key, sequence) => {
      for (const stored of state.jobs.byPair.get(key) ?? []) rouse(stored, sequence);
      holdOrphans(key);
      return state.byPair.get(key);
    };

    return { wake, rouse, holdOrphans, begin, enter, queue };
  });
};

/** Of all chunks that were counted, as one. */
const headerOf = (key: string, { bytes, records }: { readonly records: number; readonly bytes: number }): Chunk => ({
  pairKey: key,
  records,
  bytes,
  encoding: "raw",
  data: nothing,
  from: 0,
  to: 0,
});
const nothing = globalThis.Buffer.alloc(0);

const pairKeyOf = ({ job }: StoredJob): string => pairKey(job.customer, job.dataset);

export const isNewcomer = ({ books, lastSuccessMillis }: Row): boolean =>
  books.delivered.records === 0 && lastSuccessMillis === undefined;
