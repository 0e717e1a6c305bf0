import { Clock, Effect } from "effect";
import type { Buffer } from "../buffer/buffer.ts";
import { Log, type LogMessage } from "../ports/log.ts";
import { ByPair } from "./by-pair.ts";
import { Deadlines } from "./deadlines.ts";
import type { PartitionState } from "./partition-state.ts";

export interface SweepOptions {
  readonly readBytesMax: number;
  /** After so many bytes a pass ends, and the next begins at the lowest cursor that wants data then. */
  readonly sweepSliceBytesMax: number;
}

const idleMillis = 1_000;
const failureMillis = 250;

/** Re-reads the log for buffers that lag, all that are ready in one pass, until each has caught up with the reader. */
export const sweepLoop = (state: PartitionState, options: SweepOptions): Effect.Effect<never, never, Log> =>
  Effect.gen(function* () {
    while (true) {
      const ready = [...state.buffers.values()].filter((buffer) => buffer.wantsSweep());
      if (ready.length === 0) {
        yield* state.sweepWanted.wait(idleMillis);
        continue;
      }
      const fed = yield* pass(state, ready, options);
      // Room comes with pushes; a pass that could feed nobody must not spin.
      if (!fed) yield* state.sweepWanted.wait(50);
    }
  });

/** A buffer in a pass. Its window may be given up meanwhile: then what this pass fed is gone, and it has left. */
interface Member {
  readonly buffer: Buffer;
  readonly windowNumber: number;
}

interface Pass {
  readonly byPair: ByPair<Member>;
  readonly deadlines: Deadlines;
  /** Everything up to here has been offered. */
  position: number;
  members: number;
}

const pass = Effect.fnUntraced(function* (state: PartitionState, ready: ReadonlyArray<Buffer>, options: SweepOptions) {
  const log = yield* Log;
  const first = ready.reduce((low, buffer) => Math.min(low, buffer.fedTo), Number.MAX_SAFE_INTEGER);
  const sweep: Pass = { byPair: new ByPair(), deadlines: new Deadlines(), position: first, members: 0 };
  state.sweepDeadlines = sweep.deadlines;
  for (const buffer of ready) join(sweep, buffer);
  let bytes = 0;
  let fed = false;
  while (sweep.members > 0 && bytes < options.sweepSliceBytesMax) {
    const nowMillis = yield* Clock.currentTimeMillis;
    // Checked in the same synchronous step that makes them live: the reader cannot move in between.
    if (sweep.position >= state.position) {
      for (const lost of arriveAll(state, sweep, nowMillis)) {
        yield* Effect.logError("Records left the log before they could be delivered.", lost);
      }
      break;
    }
    const messages = yield* log
      .read(state.partition, sweep.position + 1, options.readBytesMax)
      .pipe(Effect.catchTag("LogUnavailable", () => Effect.as(Effect.sleep(failureMillis), [])));
    if (messages.length === 0) {
      yield* skipLost(state, sweep);
      continue;
    }
    for (const message of messages) {
      if (message.sequence > state.position) {
        if (sweep.position < state.position) noteJump(sweep);
        sweep.position = state.position;
        break;
      }
      fed = feed(state, sweep, message) || fed;
      bytes += message.chunks.reduce((sum, { from, to }) => sum + to - from, 0);
    }
  }
  for (const member of sweep.byPair.all()) leave(sweep, member, sweep.position);
  state.sweepDeadlines = undefined;
  return fed;
});

const join = (sweep: Pass, buffer: Buffer): void => {
  const member = { buffer, windowNumber: buffer.windowNumber };
  sweep.byPair.add(buffer.pairKey, member);
  sweep.members += 1;
  sweep.deadlines.watch(buffer);
};

const isMember = ({ byPair }: Pass, buffer: Buffer): boolean =>
  byPair.get(buffer.pairKey).some((member) => member.buffer === buffer && isCurrent(member));

const isCurrent = ({ buffer, windowNumber }: Member): boolean => !buffer.live && buffer.windowNumber === windowNumber;

/** Sequences are missing from the log: what these buffers have counted there is gone. */
const noteJump = (sweep: Pass): void => {
  for (const { buffer } of sweep.byPair.all()) buffer.missedSome = true;
};

const leave = (sweep: Pass, member: Member, fedTo: number): void => {
  const { buffer } = member;
  sweep.byPair.remove(buffer.pairKey, member);
  sweep.members -= 1;
  if (isCurrent(member)) buffer.fedTo = Math.max(buffer.fedTo, fedTo);
};

const feed = (state: PartitionState, sweep: Pass, message: LogMessage): boolean => {
  let fed = false;
  if (message.sequence !== sweep.position + 1) noteJump(sweep);
  const notYet: Array<Buffer> = [];
  for (const buffer of sweep.deadlines.due(message.millis)) {
    // One that has left knows nothing of the messages between its last and this one: their time is not its time yet.
    if (!isMember(sweep, buffer)) continue;
    // Began further on than the pass: it has seen this message's time before.
    if (buffer.fedTo >= message.sequence) notYet.push(buffer);
    else buffer.advance(message.millis);
  }
  const skip = state.continuity.isDuplicate(message.sequence);
  for (const chunk of skip ? [] : message.chunks) {
    for (const member of sweep.byPair.get(chunk.pairKey)) {
      const { buffer } = member;
      if (buffer.fedTo >= message.sequence && isCurrent(member)) continue;
      if (isCurrent(member) && buffer.wantsSweep() && buffer.feed(message.sequence, message.millis, chunk)) fed = true;
      else leave(sweep, member, message.sequence - 1);
    }
  }
  for (const buffer of notYet) sweep.deadlines.watch(buffer);
  sweep.position = message.sequence;
  return fed;
};

/** The sweep is where the reader is: from here on the reader feeds these buffers. Answers what is gone from the log. */
const arriveAll = (state: PartitionState, sweep: Pass, nowMillis: number) => {
  const losses = [];
  for (const member of sweep.byPair.all()) {
    const { buffer } = member;
    if (!isCurrent(member) || buffer.fedTo > sweep.position) continue;
    leave(sweep, member, sweep.position);
    buffer.catchUp();
    state.deadlines.watch(buffer);
    const lost = buffer.writeOffLost();
    buffer.pump();
    if (lost === undefined) continue;
    losses.push(lost);
    state.receipts.push({ ...lost, reason: "expired", millis: nowMillis });
  }
  return losses;
};

/** Nothing at or after the position, although the reader was beyond it: the rest of the range is gone from the log. */
const skipLost = Effect.fnUntraced(function* (state: PartitionState, sweep: Pass) {
  const log = yield* Log;
  const info = yield* log.describe(state.partition).pipe(Effect.catch(() => Effect.succeed(undefined)));
  // The leader knows the messages: a replica that lags answered, and will not the next time.
  if (info === undefined || (info.lastSequence > sweep.position && info.firstSequence <= state.position)) {
    yield* Effect.sleep(failureMillis);
    return;
  }
  noteJump(sweep);
  sweep.position = state.position;
});
