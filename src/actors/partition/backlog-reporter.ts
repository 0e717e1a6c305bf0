import { Clock, Effect, Option } from "effect";
import { Backlogs } from "../ports/backlogs.ts";
import { Log, type LogInfo } from "../ports/log.ts";
import type { PartitionState } from "./partition-state.ts";

const reportMillis = 1_000;
/** More refused pairs than this do not fit in a message; whoever is beyond is let in and only costs disk. */
const refusingMax = 20_000;

/**
 * Tells forwarders about once a second how far the partition has been read and whom to refuse, and at once when that
 * changes. Nothing waits for it: a report that cannot be made is left out, and the next one says the same and more.
 */
export const backlogReportLoop = (state: PartitionState): Effect.Effect<never, never, Log> =>
  Effect.gen(function* () {
    // An owner without anybody to tell goes without: a test of partitions, a node without forwarders in reach.
    const backlogs = Option.getOrUndefined(yield* Effect.serviceOption(Backlogs));
    if (backlogs === undefined) return yield* Effect.never;
    const growth = new LogGrowth();
    while (true) {
      yield* report(state, backlogs, growth);
      yield* state.reportWanted.wait(reportMillis);
    }
  });

const report = Effect.fnUntraced(function* (state: PartitionState, backlogs: Backlogs["Service"], growth: LogGrowth) {
  const log = yield* Log;
  const info = yield* log.describe(state.partition).pipe(Effect.catch(() => Effect.succeed(undefined)));
  if (info === undefined) return;
  const refusing = [...state.refusing];
  yield* backlogs.publish({
    partition: state.partition,
    epoch: state.claim.register.epoch,
    millis: yield* Clock.currentTimeMillis,
    scanned: state.position,
    logFirst: info.firstSequence,
    logLast: info.lastSequence,
    logBytes: info.bytes,
    appendedBytes: growth.seen(info),
    unscannedBytes: unscannedBytes(info, state.position),
    oldestMillis: info.firstMillis,
    refusing: refusing.length > refusingMax ? refusing.slice(0, refusingMax) : refusing,
  });
});

const messagesOf = ({ firstSequence, lastSequence }: LogInfo): number => Math.max(0, lastSequence - firstSequence + 1);

/** JetStream does not say how large a range is: its messages are taken to be as large as all are on average. */
export const unscannedBytes = (info: LogInfo, position: number): number => {
  const messages = messagesOf(info);
  if (messages === 0) return 0;
  const unscanned = Math.max(0, Math.min(messages, info.lastSequence - position));
  return Math.round((info.bytes * unscanned) / messages);
};

/** How many bytes were ever added to a log, from what it says of itself now and then. */
export class LogGrowth {
  private before: LogInfo | undefined;
  private appended = 0;

  /** Bytes since the first time it was asked: exact while nothing leaves the log, else by its messages' average. */
  seen(info: LogInfo): number {
    const { before } = this;
    this.before = info;
    if (before === undefined || before.incarnation !== info.incarnation) return this.appended;
    const messages = Math.max(0, info.lastSequence - before.lastSequence);
    const average = messagesOf(info) === 0 ? 0 : info.bytes / messagesOf(info);
    const grown = info.firstSequence === before.firstSequence ? info.bytes - before.bytes : messages * average;
    this.appended += Math.max(0, Math.round(grown));
    return this.appended;
  }
}
