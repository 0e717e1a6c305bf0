import { Clock, Effect, Metric } from "effect";
import { recordsWrittenOff } from "../../observability/sweep-metrics.ts";
import type { Buffer } from "../buffer/buffer.ts";
import type { Tally } from "../../domain/books.ts";
import type { Receipt, ReceiptReason } from "../ports/checkpoints.ts";
import type { Log, LogMessage, LogUnavailable } from "../ports/log.ts";
import { ByPair } from "./by-pair.ts";
import { confirmedRead } from "./confirmed-read.ts";
import type { PartitionState } from "./partition-state.ts";
import { RangeTally } from "./range-tally.ts";

/** A buffer whose oldest records are to be settled without being delivered. */
export interface WriteOffTarget {
  readonly buffer: Buffer;
  /** Up to and including this sequence, at most up to the reader. */
  readonly to: number;
  /** Ends earlier, as soon as the range holds so many uncompressed bytes. */
  readonly bytes?: number;
  readonly account: "expired" | "shed";
  readonly reason: ReceiptReason;
}

export interface WriteOffOptions {
  readonly readBytesMax: number;
}

/** Chunk counts remembered in all; beyond it the oldest of a range are added up. */
const entriesMax = 262_144;

/** A target while its range is read. */
interface Reading {
  readonly target: WriteOffTarget;
  to: number;
  /** JetStream time of its last chunk up to `to`: what is left is not older. */
  toMillis: number | undefined;
  readonly tally: RangeTally;
  /** Of the chunks after `to` up to where the reader was when this began; only summed up when something is missing. */
  rest: { records: number; bytes: number };
  /** What the ledger had counted when this began: what came later is pending and is not in this range. */
  readonly counted: Tally;
  missed: boolean;
}

/**
 * Settles the oldest records of buffers without delivering them: reads the log once, from the lowest cursor on, counts
 * what each target has there, and moves its cursor. Row and receipt go into the same checkpoint; nothing is durable
 * before that, so a crash repeats it. Sequences that are missing from the log are booked with the rest: they are what
 * is pending and not to be found any more.
 *
 * A target whose cursor cannot be moved at the end (an attempt is in flight) is left as it is; the caller tries again.
 *
 * @returns a receipt for each target that lost records
 */
export const writeOff = Effect.fnUntraced(function* (
  state: PartitionState,
  targets: ReadonlyArray<WriteOffTarget>,
  options: WriteOffOptions,
): Effect.fn.Return<ReadonlyArray<Receipt>, LogUnavailable, Log> {
  // Everything up to here is in the books: position and accounts are taken in one step.
  const until = state.position;
  const readings = targets
    .filter(({ buffer, to }) => buffer.mayMoveCursor(Math.min(to, until)) && buffer.cursor < Math.min(to, until))
    .map((target) => readingOf(target, until));
  if (readings.length === 0) return [];
  yield* readRanges(state, readings, until, options);
  const millis = yield* Clock.currentTimeMillis;
  const receipts = readings.flatMap((reading) => apply(state, reading, until, millis));
  state.checkpointWanted.raise();
  for (const receipt of receipts) {
    yield* Metric.update(recordsWrittenOff(receipt.reason), receipt.records);
    yield* Effect.logWarning("Records end undelivered.", receipt);
  }
  return receipts;
});

const readingOf = (target: WriteOffTarget, until: number): Reading => ({
  target,
  to: Math.min(target.to, until),
  toMillis: undefined,
  tally: new RangeTally(target.buffer.cursor),
  rest: { records: 0, bytes: 0 },
  counted: target.buffer.ledger.counted(),
  missed: false,
});

/** Reads as far as any target needs it: to its end, or to where the reader was, when something is missing before. */
const readRanges = Effect.fnUntraced(function* (
  state: PartitionState,
  readings: ReadonlyArray<Reading>,
  until: number,
  options: WriteOffOptions,
) {
  const byPair = new ByPair<Reading>();
  for (const reading of readings) byPair.add(reading.target.buffer.pairKey, reading);
  const entriesEach = Math.max(16, Math.floor(entriesMax / readings.length));
  let position = readings.reduce((low, { tally }) => Math.min(low, tally.from), Number.MAX_SAFE_INTEGER);
  const isDone = (): boolean => readings.every(({ missed, to }) => position >= (missed ? until : to));
  while (!isDone()) {
    const read = yield* confirmedRead(state.partition, position + 1, options.readBytesMax, until);
    if (read.goneTo !== undefined) position = noteGone(readings, position, Math.min(read.goneTo, until));
    for (const message of read.messages) {
      if (message.sequence > until) {
        if (position < until) noteGone(readings, position, until);
        position = until;
        break;
      }
      if (message.sequence > position + 1) noteGone(readings, position, message.sequence - 1);
      position = message.sequence;
      if (state.continuity.isDuplicate(position)) continue;
      countMessage(byPair, message, entriesEach);
    }
  }
});

/** Everything after `from` up to `goneTo` is not there: that concerns whose range it touches. */
const noteGone = (readings: ReadonlyArray<Reading>, from: number, goneTo: number): number => {
  for (const reading of readings) if (reading.tally.from < goneTo && from < reading.to) reading.missed = true;
  return goneTo;
};

const countMessage = (byPair: ByPair<Reading>, { chunks, millis, sequence }: LogMessage, entriesEach: number): void => {
  for (const { bytes, pairKey, records } of chunks) {
    for (const reading of byPair.get(pairKey)) {
      if (sequence <= reading.tally.from) continue;
      if (sequence > reading.to) {
        reading.rest.records += records;
        reading.rest.bytes += bytes;
        continue;
      }
      reading.toMillis = millis;
      reading.tally.add(sequence, records, bytes, entriesEach);
      const { target } = reading;
      if (target.bytes !== undefined && reading.tally.bytes >= target.bytes) reading.to = sequence;
    }
  }
};

/** One synchronous step: what it counts and what it books are of the same moment. */
const apply = (state: PartitionState, reading: Reading, until: number, millis: number): ReadonlyArray<Receipt> => {
  const { target, to } = reading;
  const { buffer } = target;
  if (state.buffers.get(buffer.jobId) !== buffer || buffer.cursor >= to || !buffer.mayMoveCursor(to)) return [];
  const counted = reading.missed ? countMissing(reading, until) : reading.tally.after(buffer.cursor);
  if (counted === undefined) return [];
  const { pendingBytes, pendingRecords } = buffer.ledger;
  const receipt = buffer.moveCursor(
    to,
    target.account,
    target.reason,
    // Never more than there is: a disabled job's range may hold duplicates that nobody remembers any more.
    { records: between(counted.records, pendingRecords), bytes: between(counted.bytes, pendingBytes) },
    millis,
    reading.toMillis,
  );
  if (reading.missed) buffer.missedTo = undefined;
  if (receipt === undefined) return [];
  state.receipts.push(receipt);
  return [receipt];
};

/** All that is pending but what is still there after `to`. Undefined: not known before the reader has come on. */
const countMissing = ({ counted, rest, target }: Reading, until: number): Tally | undefined => {
  const { countedBefore, ledger } = target.buffer;
  // Its row counts more than the reader has seen since the restart.
  if (countedBefore > until) return undefined;
  const now = ledger.counted();
  return {
    records: ledger.pendingRecords - rest.records - (now.records - counted.records),
    bytes: ledger.pendingBytes - rest.bytes - (now.bytes - counted.bytes),
  };
};

const between = (value: number, most: number): number => Math.max(0, Math.min(value, most));
