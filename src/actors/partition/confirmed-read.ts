import { Effect } from "effect";
import { Log, type LogMessage, LogUnavailable } from "../ports/log.ts";

/** What a read answers after the leader was asked about what it did not hold. */
export interface ConfirmedRead {
  /** In order; the first one follows what was asked for, or what is gone, without a gap. */
  readonly messages: ReadonlyArray<LogMessage>;
  /** From the sequence asked for up to and including this one everything is gone; undefined: nothing is. */
  readonly goneTo: number | undefined;
}

/** How often, and how soon, it is asked again when a replica and the leader do not agree. */
const doubt = { questionsMax: 6, millis: 250 };

/**
 * Reads from `sequence` on. Nothing there, or something later, is a loss only when the leader says so: a replica that
 * lags or that judges ages by another clock answers too.
 *
 * @param until the reader's position: so far something was there once
 * Fails with LogUnavailable also when replicas and leader do not come to agree
 */
export const confirmedRead = Effect.fnUntraced(function* (
  partition: number,
  sequence: number,
  bytesMax: number,
  until: number,
): Effect.fn.Return<ConfirmedRead, LogUnavailable, Log> {
  const log = yield* Log;
  let last: ReadonlyArray<LogMessage> = [];
  for (let questions = 0; questions < doubt.questionsMax; questions++) {
    const messages = yield* log.read(partition, sequence, bytesMax);
    const first = messages[0]?.sequence;
    if (first === sequence) return { messages, goneTo: undefined };
    const { firstSequence, lastSequence } = yield* log.describe(partition);
    // Gone with everything that was behind it: a purged or a shorter log.
    if (first === undefined && (firstSequence > until || lastSequence < sequence)) return { messages, goneTo: until };
    if (first !== undefined && firstSequence >= first) return { messages, goneTo: first - 1 };
    if (firstSequence > sequence) return { messages: [], goneTo: firstSequence - 1 };
    last = messages;
    yield* Effect.sleep(doubt.millis);
  }
  const first = last[0]?.sequence;
  if (first === undefined) {
    return yield* new LogUnavailable({ operation: "read", detail: `a replica does not have ${sequence} yet` });
  }
  // The leader's first message is older, and yet nobody has these: a hole, which a damaged store may have.
  yield* Effect.logError("The log has a hole.", { partition, from: sequence, to: first - 1 });
  return { messages: last, goneTo: first - 1 };
});
