import { Effect } from "effect";
import { gzipSync } from "node:zlib";
import type { PushJob } from "../../domain/push-job.ts";
import type { StoredLetter } from "../ports/dead-letters.ts";
import { Destinations } from "../ports/destinations.ts";
import { pushOnce, type ReplayBatch } from "./push-again.ts";

export interface LetterOutcome {
  readonly delivered: boolean;
  /** The destination takes nothing now, whatever the record: the next letter would fare no better. */
  readonly blocked: boolean;
  /** For people: one line, no credential, no record. */
  readonly detail: string;
}

/**
 * Pushes one dead letter to the job's destination as it is now, once: a person waits for the answer. The batch is the
 * letter's own, made of nothing but the letter: pushed again after a crash it has the same id and the same object key.
 */
export const replayLetter = Effect.fn("replay.letter")(function* (
  job: PushJob,
  stored: StoredLetter,
): Effect.fn.Return<LetterOutcome, never, Destinations> {
  const destinations = yield* Destinations;
  const outcome = yield* Effect.scoped(
    Effect.flatMap(destinations.open(job), (destination) => pushOnce(destination, letterBatch(stored), 1)),
  );
  if (outcome._tag === "Delivered") return { delivered: true, blocked: false, detail: "" };
  // A conflict is about this letter's own object name.
  const blocked = outcome._tag === "Deferred" || (outcome.reason !== "data" && outcome.reason !== "conflict");
  return { delivered: false, blocked, detail: `${outcome.reason}: ${outcome.detail}` };
});

const letterBatch = ({ letter }: StoredLetter): ReplayBatch => {
  const { incarnation, index, job, millis, record, sequence } = letter;
  const body = gzipSync(Buffer.concat([record, Buffer.from("\n")]), { level: 1 });
  return {
    ref: {
      first: sequence,
      last: sequence,
      records: 1,
      bytes: record.length + 1,
      // The letter's own time: the message's may have expired, and an object's key must not depend on now.
      startMillis: millis,
      endMillis: millis,
      closedBy: "cut",
    },
    id: `${incarnation}_${job}_${sequence}-${sequence}.${index}_replay`,
    body: [body],
    bodyBytes: body.length,
  };
};
