import type { NatsConnection } from "@nats-io/transport-node";
import { Effect } from "effect";
import { apiCodes, storeAtomically, type StreamRefused, type StreamSilent } from "./atomic-batch.ts";
import { jobSubject } from "./subjects.ts";

/** One message of a transaction. */
export interface JobWrite {
  readonly id: string;
  /** Undefined: a marker that the job is no more. */
  readonly data: Uint8Array | undefined;
  /** Sequence of the key's newest message (0: it has none): otherwise nothing of the transaction is stored. */
  readonly lastRevision: number;
  /** Stored with it, such as who changed the job and why. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** `revisions`: of the writes, in their order. `conflict`: something came in between, and nothing was stored. */
export type JobsWritten =
  | { readonly _tag: "stored"; readonly revisions: ReadonlyArray<number> }
  | { readonly _tag: "conflict" };

/** Which attempt of which transaction wrote a message: so a writer without an answer finds out what became of it. */
export const transactionHeader = "Spillway-Transaction";

const answerMillisMax = 5_000;

/** What passes by itself, and left nothing behind: another one's change, or too many batches that others began. */
const conflicts: ReadonlySet<number> = new Set([
  apiCodes.wrongLastSequence,
  apiCodes.casInProcess,
  apiCodes.batchIncomplete,
]);

/**
 * Stores up to 1,000 messages of the bucket all or nothing, each compare-and-set: one atomic batch.
 *
 * @param transaction names this attempt only
 */
export const writeJobs = (
  connection: NatsConnection,
  writes: ReadonlyArray<JobWrite>,
  transaction: string,
): Effect.Effect<JobsWritten, StreamRefused | StreamSilent> =>
  storeAtomically(
    connection,
    writes.map(({ data, headers, id, lastRevision }) => ({
      subject: jobSubject(id),
      data: data ?? new Uint8Array(),
      lastSequence: lastRevision,
      headers: {
        ...headers,
        [transactionHeader]: transaction,
        ...(data === undefined ? { "KV-Operation": "DEL" } : {}),
      },
    })),
    { batchId: transaction, timeoutMillis: answerMillisMax },
  ).pipe(
    Effect.map(({ sequence }): JobsWritten => ({ _tag: "stored", revisions: revisionsUpTo(sequence, writes.length) })),
    Effect.catchIf(
      (error) => error._tag === "StreamRefused" && conflicts.has(error.code),
      () => Effect.succeed<JobsWritten>({ _tag: "conflict" }),
    ),
  );

/** The messages of a batch lie in the stream one behind the other. */
export const revisionsUpTo = (last: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => last - count + 1 + i);
