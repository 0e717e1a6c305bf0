import { Effect } from "effect";
import type { Tally } from "../domain/books.ts";
import { ContinuityWatch } from "./partition/continuity.ts";
import type { PartitionState } from "./partition/partition-state.ts";
import { Log, type LogUnavailable } from "./ports/log.ts";
import { accountsOf } from "./residency/accounts.ts";

/** A recount of the log beside what a job's books say. */
export interface JobAudit {
  readonly job: string;
  readonly recountedAccepted: Tally;
  readonly bookAccepted: Tally;
  readonly difference: Tally;
  /** What the recount could not see, for people; empty when it saw everything. */
  readonly horizon: string;
}

interface Recount {
  readonly job: string;
  readonly pairKey: string;
  readonly start: number;
  readonly book: Tally;
  records: number;
  bytes: number;
}

const readBytes = 4_194_304;

/**
 * Counts the chunk headers of a partition's log again, with a continuity watch of its own, and compares them with the
 * books as they stood at the moment the audit began.
 */
export const auditPartition = Effect.fn("audit.partition")(function* (
  state: PartitionState,
): Effect.fn.Return<ReadonlyArray<JobAudit>, LogUnavailable, Log> {
  const log = yield* Log;
  // Books and position are taken in one step: they belong together.
  const until = state.position;
  const recounts: Array<Recount> = [];
  for (const { books, job, pairKey, start } of accountsOf(state)) {
    recounts.push({ job, pairKey, start, book: books.accepted, records: 0, bytes: 0 });
  }
  const byPair = Map.groupBy(recounts, ({ pairKey }) => pairKey);
  const watch = new ContinuityWatch({}, []);
  for (let position = 0; position < until;) {
    const messages = yield* log.read(state.partition, position + 1, readBytes);
    if (messages.length === 0) break;
    for (const message of messages) {
      position = message.sequence;
      if (position > until) break;
      const { writer } = message;
      if (writer !== undefined && watch.see(position, writer, message.records)._tag === "Duplicate") continue;
      for (const chunk of message.chunks) {
        for (const recount of byPair.get(chunk.pairKey) ?? []) {
          if (position <= recount.start) continue;
          recount.records += chunk.records;
          recount.bytes += chunk.bytes;
        }
      }
    }
  }
  // Asked afterwards: what was purged meanwhile was not counted.
  const { firstSequence } = yield* log.describe(state.partition);
  return recounts.map((recount) => auditOf(recount, firstSequence));
});

const auditOf = ({ book, bytes, job, records, start }: Recount, firstSequence: number): JobAudit => {
  const seesAll = firstSequence <= start + 1;
  return {
    job,
    recountedAccepted: { records, bytes },
    bookAccepted: book,
    // What left the log cannot be recounted: then only an excess of the log over the books is a difference.
    difference: seesAll
      ? { records: records - book.records, bytes: bytes - book.bytes }
      : { records: Math.max(0, records - book.records), bytes: Math.max(0, bytes - book.bytes) },
    horizon: seesAll ? "" : `the log begins at sequence ${firstSequence}, the books at ${start + 1}`,
  };
};
