import type { Buffer } from "../actors/buffer/buffer.ts";
import { deliveryOf } from "../actors/buffer/snapshot.ts";
import type { Row } from "../actors/ports/checkpoints.ts";
import type { WaitingBuffer } from "../actors/residency/waiting-buffer.ts";
import type { AlertSignal } from "../domain/alert-rule.ts";
import type { Limits } from "../domain/limits.ts";

/** Signals of push jobs, each with its labels. */
export const jobSignals = [
  "jobSuspended",
  "jobLagPercent",
  "jobSilentSeconds",
] as const satisfies ReadonlyArray<AlertSignal>;
export type JobSignal = (typeof jobSignals)[number];

export const isJobSignal = (signal: AlertSignal): signal is JobSignal =>
  (jobSignals as ReadonlyArray<AlertSignal>).includes(signal);

/** What the rules about a push job are judged by, whether or not its buffer has an actor. */
export interface JobFacts {
  readonly job: string;
  readonly customer: string;
  readonly suspended: boolean;
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** Undefined: a row alone tells of it, and rows do not say how old a backlog is. */
  readonly pendingSinceMillis: number | undefined;
  readonly lastSuccessMillis: number | undefined;
}

export const factsOfBuffer = ({ actor, lastSuccessMillis, ledger, newest, pendingSinceMillis }: Buffer): JobFacts => ({
  job: newest.job.id,
  customer: newest.job.customer,
  suspended: isSuspended(actor?.delivery()),
  pendingRecords: pendingSinceMillis === undefined ? 0 : ledger.pendingRecords,
  pendingBytes: ledger.pendingBytes,
  pendingSinceMillis,
  lastSuccessMillis,
});

/** Of one that is counted while it waits for a place. */
export const factsOfWaiting = (waiting: WaitingBuffer): JobFacts => ({
  ...factsOfRow(waiting.rowNow()),
  pendingSinceMillis: waiting.pendingSinceMillis,
});

export const factsOfRow = ({ books, job, lastSuccessMillis, pairKey, snapshot }: Row): JobFacts => ({
  job,
  customer: pairKey.split(".")[0]!,
  suspended: isSuspended(deliveryOf(snapshot)),
  pendingRecords: books.pending.records,
  pendingBytes: books.pending.bytes,
  pendingSinceMillis: undefined,
  lastSuccessMillis,
});

const isSuspended = (delivery: string | undefined): boolean => delivery === "suspended" || delivery === "quarantined";

/** The signal's value for a job that is to deliver. */
export const jobReading = (
  signal: JobSignal,
  facts: JobFacts,
  { limits, nowMillis }: { readonly limits: Limits; readonly nowMillis: number },
): number | "unknown" => {
  if (signal === "jobSuspended") return facts.suspended ? 1 : 0;
  const { lastSuccessMillis, pendingBytes, pendingRecords, pendingSinceMillis } = facts;
  if (pendingRecords === 0) return 0;
  if (pendingSinceMillis === undefined) return "unknown";
  if (signal === "jobSilentSeconds") {
    return Math.round(Math.max(0, nowMillis - Math.max(pendingSinceMillis, lastSuccessMillis ?? 0)) / 1_000);
  }
  const age = Math.max(0, nowMillis - pendingSinceMillis) / 1_000 / limits.backlogAgeSecondsMax;
  const bytes = pendingBytes / limits.backlogBytesPerCustomerMax;
  return Math.round(Math.max(age, bytes) * 100);
};
