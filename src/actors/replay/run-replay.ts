import { Effect, Random, Result, type Scope } from "effect";
import { Window } from "../buffer/window.ts";
import { ContinuityWatch } from "../partition/continuity.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import { Destinations } from "../ports/destinations.ts";
import { Log, type LogMessage, LogUnavailable } from "../ports/log.ts";
import type { PushJob, StoredJob } from "../../domain/push-job.ts";
import { pairKey } from "../../domain/partition.ts";
import { retryDelayMillis } from "../../domain/retry-policy.ts";
import type { Pace } from "./pace.ts";
import { type DeliverOptions, openLane, ReplayFailed, type ReplayLane } from "./replay-lane.ts";
import type { ReplayProgress } from "./replay-report.ts";

export interface ReplayOptions extends DeliverOptions {
  readonly readBytesMax: number;
}

/** One replay, ready to run. */
export interface ReplayPlan {
  readonly name: string;
  /** As it was when the replay began: decides where its batches end. */
  readonly job: PushJob;
  readonly state: PartitionState;
  readonly from: number;
  readonly to: number;
  /** The job as it is now, or why it may not be pushed to any more. */
  readonly newest: () => StoredJob | ReplayFailed;
}

/**
 * Reads the range again and pushes what is the job's, in batches that are cut as the live ones are. It has a window, a
 * destination and a tally of its own: cursor, books and actor of the buffer know nothing of it. At least once.
 */
export const runReplay = Effect.fn("replay.run")(function* (
  plan: ReplayPlan,
  progress: ReplayProgress,
  pace: Pace,
  options: ReplayOptions,
): Effect.fn.Return<void, ReplayFailed, Log | Destinations | Scope.Scope> {
  const { from, job, newest, state, to } = plan;
  const identity = { name: plan.name, job: job.id, incarnation: state.incarnation };
  const lane = yield* openLane(identity, newest, progress, options);
  // One batch is open and one on its way: what is read waits for the destination.
  const window = new Window(job.batch, { bytesMax: options.readBytesMax, closedBatchesMax: 1 }, []);
  const feed = { window, key: pairKey(job.customer, job.dataset), watch: new ContinuityWatch({}, []) };
  for (let next = from; next <= to;) {
    const messages = yield* readOn(plan, next, progress, options);
    yield* pace.take(bytesOf(messages));
    for (const message of messages) {
      if (message.sequence > to) break;
      take(feed, state, message);
      if (window.head() !== undefined) yield* deliverClosed(window, lane, progress);
      if (window.isEmpty()) progress.sequence = message.sequence;
    }
    // At the end of the log, or past what has expired: the range ends where its messages do.
    next = (messages.at(-1)?.sequence ?? to) + 1;
  }
  const last = window.cuttable();
  if (last !== undefined) window.cut(last);
  yield* deliverClosed(window, lane, progress);
  progress.sequence = to;
});

interface Feed {
  readonly window: Window;
  readonly key: string;
  readonly watch: ContinuityWatch;
}

/** As the reader deals a message out, to one job alone. */
const take = ({ key, watch, window }: Feed, state: PartitionState, message: LogMessage): void => {
  const { chunks, millis, records, sequence, writer } = message;
  window.advance(millis);
  // The owner remembers duplicates only after its low-water mark: before it, the running numbers are watched again.
  if (writer !== undefined && watch.see(sequence, writer, records)._tag === "Duplicate") return;
  if (state.continuity.isDuplicate(sequence)) return;
  for (const chunk of chunks) if (chunk.pairKey === key) window.append(sequence, millis, chunk);
};

const deliverClosed = Effect.fnUntraced(function* (window: Window, lane: ReplayLane, progress: ReplayProgress) {
  for (let head = window.head(); head !== undefined; head = window.head()) {
    yield* lane.deliver(head);
    window.settleHead();
    progress.sequence = head.ref.last;
  }
});

const bytesOf = (messages: ReadonlyArray<LogMessage>): number =>
  messages.reduce((sum, { chunks }) => chunks.reduce((bytes, { from, to }) => bytes + to - from, sum), 0);

/**
 * The next messages of the range, empty when it has no more. Repeats a read that fails as often as a push; what has
 * expired meanwhile is a warning, not a failure.
 */
const readOn = Effect.fnUntraced(function* (
  { state, to }: ReplayPlan,
  next: number,
  progress: ReplayProgress,
  { policy, readBytesMax }: ReplayOptions,
): Effect.fn.Return<ReadonlyArray<LogMessage>, ReplayFailed, Log> {
  for (let attempt = 1; ; attempt++) {
    const answer = yield* Effect.result(readOnce(state.partition, next, readBytesMax));
    if (Result.isSuccess(answer)) {
      const found = answer.success[0]?.sequence ?? to + 1;
      if (found > next) progress.warnings.push(`Messages ${next} to ${Math.min(found - 1, to)} have left the log.`);
      return answer.success;
    }
    const { detail } = answer.failure;
    progress.lastError = detail;
    if (attempt >= policy.attemptsMax) return yield* new ReplayFailed({ detail: `The log cannot be read: ${detail}` });
    yield* Effect.sleep(retryDelayMillis(policy, attempt, yield* Random.next, policy.baseMillis));
  }
});

/** Empty only when the leader, too, has nothing from here on. */
const readOnce = Effect.fnUntraced(function* (partition: number, sequence: number, bytesMax: number) {
  const log = yield* Log;
  const messages = yield* log.read(partition, sequence, bytesMax);
  if (messages.length > 0) return messages;
  const { lastSequence } = yield* log.describe(partition);
  if (lastSequence < sequence) return messages;
  return yield* new LogUnavailable({ operation: "read", detail: `a replica does not know ${sequence} yet` });
});
