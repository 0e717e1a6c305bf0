import { Clock, Effect, Metric } from "effect";
import {
  duplicatesSkippedTotal,
  messagesReadTotal,
  recordsMissingTotal,
} from "../../observability/delivery-metrics.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { confirmedRead } from "./confirmed-read.ts";
import { bookUnread } from "./reader-gap.ts";
import { type Chunk, Log, type LogMessage } from "../ports/log.ts";
import type { PartitionState, Rowed } from "./partition-state.ts";

export interface ReaderOptions {
  readonly readBytesMax: number;
  readonly readIdleMillisMax: number;
}

/** At most one tick per partition in this time. */
const tickMillisMin = 200;
const failureMillis = 250;

/** Reads the partition's log as it grows, counts and feeds. It waits for no buffer: one without room lags. */
export const readLoop = (state: PartitionState, options: ReaderOptions): Effect.Effect<never, never, Log> =>
  Effect.gen(function* () {
    const log = yield* Log;
    let tickedMillis = Number.NEGATIVE_INFINITY;
    // Where the server did not say it: ours is the best guess.
    state.clock.see(state.log?.nowMillis ?? (yield* Clock.currentTimeMillis), yield* steadyMillis);
    while (true) {
      const messages = yield* log.read(state.partition, state.position + 1, options.readBytesMax).pipe(
        Effect.flatMap((read) => confirmed(state, read, options)),
        Effect.catchTag("LogUnavailable", ({ detail }) =>
          Effect.logWarning("The log cannot be read; trying again.", { partition: state.partition, detail }).pipe(
            Effect.andThen(Effect.sleep(failureMillis)),
            Effect.as(undefined),
          ),
        ),
      );
      if (messages === undefined) continue;
      for (const message of messages) yield* dispatch(state, message);
      const now = yield* steadyMillis;
      if (messages.length > 0) {
        state.clock.seeMessage(messages.at(-1)!.millis, now);
        yield* Metric.update(messagesReadTotal, messages.length);
        state.checkpointWanted.raise();
        continue;
      }
      const due = state.deadlines.next();
      const logNow = state.clock.at(now)!;
      if (state.deadlines.isDue(logNow) && now - tickedMillis >= tickMillisMin) {
        tickedMillis = now;
        yield* log.tick(state.partition).pipe(Effect.ignore);
        continue;
      }
      const untilDue = due === undefined ? options.readIdleMillisMax : Math.max(tickMillisMin, due - logNow);
      yield* log.waitForWrite(state.partition, Math.min(options.readIdleMillisMax, untilDue));
    }
  });

/** What is not there is lost only when the leader says so: another replica may have it still. */
const confirmed = (state: PartitionState, messages: ReadonlyArray<LogMessage>, options: ReaderOptions) =>
  messages.length === 0 || messages[0]!.sequence === state.position + 1
    ? Effect.succeed(messages)
    : Effect.map(
        confirmedRead(state.partition, state.position + 1, options.readBytesMax, state.position),
        (read) => read.messages,
      );

/** One message: time first, then its chunks. Synchronous but for what goes wrong. */
const dispatch = (state: PartitionState, message: LogMessage): Effect.Effect<void> => {
  const { sequence } = message;
  const before = state.position;
  const missing = message.sequence - before - 1;
  for (const buffer of state.deadlines.due(message.millis)) if (buffer.live) buffer.advance(message.millis);
  const continuity =
    message.writer === undefined ? undefined : state.continuity.see(message.sequence, message.writer, message.records);
  if (continuity?._tag !== "Duplicate") {
    // Nobody may be there for it: a job may be new in a set that is not adopted here yet, or gone.
    const isNewer = message.jobSet > state.jobs.number;
    for (const chunk of message.chunks) {
      const buffers = state.dealtTo(chunk.pairKey, sequence);
      for (const buffer of buffers) deal(state, buffer, message, chunk);
      const isEarly = isNewer || state.newerChunks.has(chunk.pairKey);
      const isDue = state.isDue(chunk.pairKey, sequence, buffers);
      if (isEarly || !isDue) setAside(state, message, chunk, isEarly, isDue);
    }
  }
  state.position = message.sequence;
  state.windowBudget.keep();
  if (missing === 0 && (continuity === undefined || continuity._tag === "Next")) return Effect.void;
  return complain(state, message, before, continuity);
};

const setAside = (state: PartitionState, message: LogMessage, chunk: Chunk, isEarly: boolean, isDue: boolean): void => {
  const { millis, sequence } = message;
  const holders = state.holders.of(chunk.pairKey, sequence);
  if (isEarly && state.newerChunks.note(message, chunk, holders)) return;
  if (isDue || holders.length > 0) return;
  state.unclaimedChunks.note(chunk.pairKey, { ...chunk, millis, first: sequence, last: sequence });
};

const deal = (state: PartitionState, buffer: Rowed, message: LogMessage, chunk: Chunk): void => {
  buffer.count(message.sequence, message.millis, chunk);
  if (buffer.live && !state.windowBudget.feed(buffer, message, chunk)) buffer.lag(message.sequence - 1);
};

const complain = (
  state: PartitionState,
  { sequence, writer }: LogMessage,
  before: number,
  continuity: ReturnType<PartitionState["continuity"]["see"]> | undefined,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const where = { partition: state.partition, sequence, forwarder: writer?.incarnation };
    const missing = sequence - before - 1;
    if (missing > 0) yield* Effect.logError("The log has lost messages that were not read.", { ...where, missing });
    if (continuity?._tag === "Duplicate") yield* Metric.update(duplicatesSkippedTotal, 1);
    if (continuity?._tag === "Gap") {
      yield* Metric.update(recordsMissingTotal, continuity.records);
      const { records } = continuity;
      const isBooked = missing > 0 && bookUnread(state, before, sequence, records, yield* Clock.currentTimeMillis);
      yield* Effect.logError("Messages of a forwarder are missing from the log.", {
        ...where,
        messages: continuity.messages,
        records,
        isBooked,
      });
    }
  });
