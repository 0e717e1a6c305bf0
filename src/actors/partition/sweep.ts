import { Clock, Effect, Metric } from "effect";
import { sweepBytesOf, windowsGivenUp } from "../../observability/sweep-metrics.ts";
import type { Buffer } from "../buffer/buffer.ts";
import type { Log, LogMessage } from "../ports/log.ts";
import { confirmedRead } from "./confirmed-read.ts";
import type { PartitionState } from "./partition-state.ts";
import { Pass } from "./sweep/pass.ts";
import { monotonicSeconds } from "./sweep/sweep-regulator.ts";
import { writeOff, type WriteOffTarget } from "./write-off.ts";
import { type SlicePlan, SweepSchedule, type SweepScheduleOptions } from "./sweep/sweep-schedule.ts";

export interface SweepOptions extends SweepScheduleOptions {
  readonly readBytesMax: number;
  /** A slice ends after so long, whatever it has read. */
  readonly sweepSliceMillisMax: number;
}

const idleMillis = 1_000;
const failureMillis = 250;
/** Room comes with pushes: a slice that nobody could take anything from must not be repeated at once. */
const stuckMillis = 50;
/** How often a slice looks for buffers that have become ready meanwhile. */
const joinSeconds = 0.1;

/** Re-reads the log for buffers that lag, slice by slice, until each has caught up with the reader. */
export const sweepLoop = (state: PartitionState, options: SweepOptions): Effect.Effect<never, never, Log> =>
  Effect.gen(function* () {
    const schedule = new SweepSchedule(state, options);
    while (true) {
      yield* bookLosses(state, options);
      const plan = schedule.next(yield* Clock.currentTimeMillis);
      if (plan === undefined) {
        yield* state.sweepWanted.wait(idleMillis);
        continue;
      }
      yield* state.sweepRegulator.ready(schedule.ready());
      const progressed = yield* slice(state, schedule, plan, options);
      if (!progressed) yield* state.sweepWanted.wait(stuckMillis);
    }
  });

/** Answers whether it came further. */
const slice = Effect.fnUntraced(function* (
  state: PartitionState,
  schedule: SweepSchedule,
  plan: SlicePlan,
  options: SweepOptions,
) {
  const pass = new Pass(state, plan.members);
  state.sweepDeadlines = pass.deadlines;
  const begun = pass.position;
  const touched = new Set<Buffer>();
  let arrived = false;
  let nextJoin = (yield* monotonicSeconds) + joinSeconds;
  const deadline = nextJoin - joinSeconds + options.sweepSliceMillisMax / 1_000;
  for (let bytes = 0; bytes < options.sweepSliceBytesMax;) {
    const nowSeconds = yield* monotonicSeconds;
    if (nowSeconds >= deadline) break;
    if (nowSeconds >= nextJoin) {
      nextJoin = nowSeconds + joinSeconds;
      pass.expect(schedule.joiners(pass.position, (buffer) => pass.has(buffer), yield* Clock.currentTimeMillis));
    }
    // From here to the arrival without giving way: the reader must not move in between.
    if (!pass.moveOn()) break;
    if (pass.position >= state.position) {
      arrived = true;
      pass.arrive((buffer) => buffer.pump());
      break;
    }
    const read = yield* confirmedRead(state.partition, pass.position + 1, options.readBytesMax, state.position).pipe(
      Effect.catchTag("LogUnavailable", () => Effect.as(Effect.sleep(failureMillis), undefined)),
    );
    if (read === undefined) continue;
    if (read.goneTo !== undefined) pass.skipGone(Math.min(read.goneTo, state.position));
    const bytesRead = offerAll(state, pass, read.messages, (buffer, taken) => {
      touched.add(buffer);
      state.sweepRegulator.fed(buffer, taken);
    });
    bytes += bytesRead;
    yield* Metric.update(sweepBytesOf[plan.lane], bytesRead);
    yield* state.sweepRegulator.pace(bytesRead);
  }
  const nowMillis = yield* Clock.currentTimeMillis;
  for (const buffer of pass.end()) touched.add(buffer);
  for (const buffer of touched) schedule.served(buffer, nowMillis);
  state.sweepDeadlines = undefined;
  if (Number.isFinite(state.windowBudget.bytesMax)) yield* Metric.update(windowsGivenUp, state.windowBudget.givenUp);
  return arrived || pass.position > begun;
});

/** One synchronous step. Answers the bytes that were read, wanted or not. */
const offerAll = (
  state: PartitionState,
  pass: Pass,
  messages: ReadonlyArray<LogMessage>,
  onFed: (buffer: Buffer, bytes: number) => void,
): number => {
  let bytes = 0;
  for (const message of messages) {
    bytes += message.chunks.reduce((sum, { from, to }) => sum + to - from, 0);
    // Jumped over: nobody wants it.
    if (message.sequence <= pass.position) continue;
    if (message.sequence > state.position) {
      if (pass.position < state.position) pass.skipGone(state.position);
      break;
    }
    if (message.sequence > pass.position + 1) pass.skipGone(message.sequence - 1);
    pass.offer(message, onFed);
    state.windowBudget.keep();
    if (!pass.moveOn()) break;
  }
  return bytes;
};

/** Books what left the log before the sweep came to it. Whoever has an attempt in flight has its turn after that. */
const bookLosses = Effect.fnUntraced(function* (state: PartitionState, options: SweepOptions) {
  const targets: Array<WriteOffTarget> = [];
  for (const buffer of state.buffers.values()) {
    if (buffer.missedTo === undefined) continue;
    if (buffer.cursor >= buffer.missedTo || buffer.ledger.pendingRecords === 0) buffer.missedTo = undefined;
    else targets.push({ buffer, to: buffer.missedTo, account: "expired", reason: "expired" });
  }
  if (targets.length === 0) return;
  yield* writeOff(state, targets, options).pipe(Effect.catchTag("LogUnavailable", () => Effect.sleep(failureMillis)));
});
