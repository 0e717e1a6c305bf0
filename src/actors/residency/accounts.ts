import { addBooks, type Books } from "../../domain/books.ts";
import type { PartitionState } from "../partition/partition-state.ts";
import type { Buffer } from "../buffer/buffer.ts";
import type { CrashEvidence, Row } from "../ports/checkpoints.ts";
import type { WaitingBuffer } from "./waiting-buffer.ts";

/** What is known of a job that ever had traffic, wherever its buffer is. */
export interface JobAccount {
  readonly job: string;
  /** `customer.dataset`. */
  readonly pairKey: string;
  /** Only what is after this sequence is in the books. */
  readonly start: number;
  readonly books: Books;
  readonly place: "resident" | "waiting" | "hibernated";
  /** The actor's delivery state; `restarting` between a crash and the next start; else as `place`. */
  readonly delivery: string;
  /** JetStream time of the oldest record that is not settled, as far as it is known. */
  readonly pendingSinceMillis: number | undefined;
  readonly lastSuccessMillis: number | undefined;
  readonly lastErrorMillis: number | undefined;
  readonly lastError: string | undefined;
  readonly evidence: CrashEvidence | undefined;
}

/** Of the jobs whose buffers are in memory. */
export function* accountsInMemory(state: PartitionState): Generator<JobAccount> {
  for (const buffer of state.buffers.values()) yield residentAccount(buffer);
  for (const buffer of state.waitingBuffers.values()) yield waitingAccount(buffer);
}

/** Of every job that ever had traffic in a partition. Made one by one: there may be a million of them. */
export function* accountsOf(state: PartitionState): Generator<JobAccount> {
  yield* accountsInMemory(state);
  for (const row of state.rows) yield rowAccount(state, row);
}

const residentAccount = (buffer: Buffer): JobAccount => ({
  job: buffer.jobId,
  pairKey: buffer.pairKey,
  start: buffer.start,
  books: buffer.ledger.books(),
  place: "resident",
  delivery: buffer.actor?.delivery() ?? "restarting",
  pendingSinceMillis: buffer.pendingSinceMillis,
  lastSuccessMillis: buffer.lastSuccessMillis,
  lastErrorMillis: buffer.lastErrorMillis,
  lastError: buffer.lastError,
  evidence: buffer.evidence,
});

const waitingAccount = (buffer: WaitingBuffer): JobAccount =>
  accountOf(buffer.rowNow(), "waiting", buffer.origin().uncounted?.millis);

const rowAccount = (state: PartitionState, row: Row): JobAccount =>
  accountOf(row, state.waiting.has(row.job) ? "waiting" : "hibernated", undefined);

const accountOf = (
  { books, evidence, job, lastError, lastErrorMillis, lastSuccessMillis, pairKey, start }: Row,
  place: "waiting" | "hibernated",
  pendingSinceMillis: number | undefined,
): JobAccount => ({
  job,
  pairKey,
  start,
  books,
  place,
  delivery: place,
  pendingSinceMillis,
  lastSuccessMillis,
  lastErrorMillis,
  lastError,
  evidence,
});

/** Of one job; undefined when it never had traffic in this partition. */
export const accountIn = (state: PartitionState, job: string): JobAccount | undefined => {
  const buffer = state.buffers.get(job);
  if (buffer !== undefined) return residentAccount(buffer);
  const waiting = state.waitingBuffers.get(job);
  if (waiting !== undefined) return waitingAccount(waiting);
  const row = state.rows.get(job);
  return row === undefined ? undefined : rowAccount(state, row);
};

/** The sum of a partition's books. Takes as long as what is in memory, not as what hibernates. */
export const totalsOf = (state: PartitionState): Books => {
  let total = state.rows.totals();
  for (const { ledger } of state.buffers.values()) total = addBooks(total, ledger.books());
  for (const buffer of state.waitingBuffers.values()) total = addBooks(total, buffer.books());
  return total;
};
