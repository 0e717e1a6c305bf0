import { Effect } from "effect";
import { Log, type LogUnavailable } from "../ports/log.ts";

/** One message is enough; a read always answers one, whatever its size. */
const probeBytes = 1;

/**
 * The first sequence whose JetStream time is at or after `millis` (epoch): the one after the last when all are older,
 * the first that the log still has when all are younger. Some twenty reads of one message each.
 */
export const sequenceAt = Effect.fn("partition.sequenceAt")(function* (
  partition: number,
  millis: number,
): Effect.fn.Return<number, LogUnavailable, Log> {
  const log = yield* Log;
  const { firstSequence, lastSequence } = yield* log.describe(partition);
  // What is before `low` is older, what is at or after `high` is not.
  let low = firstSequence;
  let high = lastSequence + 1;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const [message] = yield* log.read(partition, middle, probeBytes);
    if (message === undefined || message.millis >= millis) high = middle;
    else low = message.sequence + 1;
  }
  return low;
});
