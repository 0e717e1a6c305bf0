import { Effect } from "effect";
import { Log, type LogUnavailable } from "../ports/log.ts";

/**
 * The last sequence in [low, high] whose message is older than `millis` (JetStream time), or low − 1 when none is:
 * a search that reads a few single messages. Times need not rise strictly; where they do not, the answer is one of the
 * places where they pass `millis`.
 */
export const lastSequenceBefore = Effect.fnUntraced(function* (
  partition: number,
  millis: number,
  low: number,
  high: number,
): Effect.fn.Return<number, LogUnavailable, Log> {
  const log = yield* Log;
  // Everything up to `older` is older; everything after `until` is not.
  let older = low - 1;
  let until = high;
  while (older < until) {
    const middle = Math.ceil((older + until) / 2);
    const [message] = yield* log.read(partition, middle, 1);
    // Nothing there any more, or not yet on this replica: not called old.
    if (message === undefined || message.sequence > until || message.millis >= millis) until = middle - 1;
    else older = message.sequence;
  }
  return older;
});

/** JetStream time of the first message at or after a sequence; undefined at the end of the log. */
export const millisAt = Effect.fnUntraced(function* (
  partition: number,
  sequence: number,
): Effect.fn.Return<number | undefined, LogUnavailable, Log> {
  const log = yield* Log;
  const [message] = yield* log.read(partition, sequence, 1);
  return message?.millis;
});

/**
 * The first sequence whose JetStream time is at or after `millis` (epoch): the one after the last when all are older,
 * the first that the log still has when all are younger.
 */
export const sequenceAt = Effect.fn("partition.sequenceAt")(function* (
  partition: number,
  millis: number,
): Effect.fn.Return<number, LogUnavailable, Log> {
  const log = yield* Log;
  const { firstSequence, lastSequence } = yield* log.describe(partition);
  return (yield* lastSequenceBefore(partition, millis, firstSequence, lastSequence)) + 1;
});
