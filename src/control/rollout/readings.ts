import type { ChangedSignals, NodeReport, NodeSignals } from "../../streams/config-messages.ts";

/** Fewer attempts than these say nothing. */
const attemptsMin = 20;
/** How much more of the attempts may fail than before, in percent of them. */
const failedPercentMore = 10;
/** The same of what was changed: some of it may be wrong from the start, and harms nobody else. */
const changedFailedPercentMore = 25;
/** Below this share of what it was, delivery has broken down; where it was next to nothing, nothing can be said. */
const deliveredShareMin = 0.5;
const deliveredPerSecondMin = 10;
/** A backlog may double, and grow by so much. */
const backlogFactorMax = 2;
const backlogBytesMore = 16_777_216;
const buffersFactorMax = 1.5;
const buffersMore = 100;

const noChanges: ChangedSignals = {
  attempts: 0,
  failures: 0,
  attemptsBefore: 0,
  failuresBefore: 0,
  buffers: 0,
  buffersBefore: 0,
};

const zero: Required<NodeSignals> = {
  number: 0,
  deliveredPerSecond: 0,
  deliveredPerSecondBefore: 0,
  attempts: 0,
  failures: 0,
  attemptsBefore: 0,
  failuresBefore: 0,
  backlogBytes: 0,
  backlogBytesBefore: 0,
  buffers: 0,
  buffersBefore: 0,
  changed: noChanges,
};

export interface ReadingFacts {
  /** The snapshot that nodes serve now; what was read under another says nothing of it. */
  readonly number: number;
  /** Jobs that it enables: each may have a buffer. */
  readonly added: number;
  /** Of nodes that have left: what was before counts, for others have taken over what they had. */
  readonly left?: ReadonlyArray<NodeSignals>;
}

/**
 * How it goes for the customers that have the new snapshot, against how it went for the same ones before. Jobs that are
 * as they were may not suffer in any way. Of those that the snapshot changes only this much can be said: that their
 * pushes do not fail, and that there are no more buffers than it orders; less to deliver may be what was meant.
 *
 * @returns undefined when no node says anything; `breached` null when all is well
 */
export const reading = (
  reports: ReadonlyArray<NodeReport>,
  { added, left = [], number }: ReadingFacts,
): { readonly breached: string | null } | undefined => {
  const signals = reports.flatMap((report) => (report.signals?.number === number ? [report.signals] : []));
  if (signals.length === 0) return undefined;
  const all = [...signals, ...left.map(beforeOnly)].reduce(sum, zero);
  const { changed = noChanges } = all;
  // What a node that came later delivers is in nobody's sum.
  const isWhole = signals.length === reports.length;
  return {
    breached:
      failing(all, failedPercentMore, "the pushes") ??
      (isWhole ? undelivered(all) : null) ??
      waiting(all) ??
      exploding(all, 0) ??
      failing(changed, changedFailedPercentMore, "the pushes of what was changed") ??
      exploding(changed, added),
  };
};

const beforeOnly = (signals: NodeSignals): NodeSignals => ({
  ...signals,
  deliveredPerSecond: 0,
  attempts: 0,
  failures: 0,
  backlogBytes: 0,
  buffers: 0,
  changed: { ...(signals.changed ?? noChanges), attempts: 0, failures: 0, buffers: 0 },
});

const sum = (a: NodeSignals, b: NodeSignals): NodeSignals => ({
  number: b.number,
  ...sumOfChanged(a, b),
  deliveredPerSecond: a.deliveredPerSecond + b.deliveredPerSecond,
  deliveredPerSecondBefore: a.deliveredPerSecondBefore + b.deliveredPerSecondBefore,
  backlogBytes: a.backlogBytes + b.backlogBytes,
  backlogBytesBefore: a.backlogBytesBefore + b.backlogBytesBefore,
  changed: sumOfChanged(a.changed ?? noChanges, b.changed ?? noChanges),
});

/** What both the jobs that are as they were and those that were changed are counted by. */
const sumOfChanged = (a: ChangedSignals, b: ChangedSignals): ChangedSignals => ({
  attempts: a.attempts + b.attempts,
  failures: a.failures + b.failures,
  attemptsBefore: a.attemptsBefore + b.attemptsBefore,
  failuresBefore: a.failuresBefore + b.failuresBefore,
  buffers: a.buffers + b.buffers,
  buffersBefore: a.buffersBefore + b.buffersBefore,
});

type Pushes = Pick<ChangedSignals, "attempts" | "attemptsBefore" | "failures" | "failuresBefore">;

const failing = (
  { attempts, attemptsBefore, failures, failuresBefore }: Pushes,
  more: number,
  what: string,
): string | null => {
  const failed = share(failures, attempts);
  const failedBefore = share(failuresBefore, attemptsBefore);
  return attempts >= attemptsMin && failed > failedBefore + more
    ? `${failed.toFixed(1)} % of ${what} fail, ${failedBefore.toFixed(1)} % before`
    : null;
};

const undelivered = ({ deliveredPerSecond: now, deliveredPerSecondBefore: before }: NodeSignals): string | null =>
  before >= deliveredPerSecondMin && now < before * deliveredShareMin
    ? `${now.toFixed(0)} records/s are delivered, ${before.toFixed(0)} before`
    : null;

const waiting = ({ backlogBytes, backlogBytesBefore }: NodeSignals): string | null =>
  backlogBytes > backlogBytesBefore * backlogFactorMax + backlogBytesMore
    ? `${backlogBytes} bytes wait, ${backlogBytesBefore} before`
    : null;

const exploding = (
  { buffers, buffersBefore }: Pick<ChangedSignals, "buffers" | "buffersBefore">,
  added: number,
): string | null =>
  buffers > buffersBefore * buffersFactorMax + buffersMore + added
    ? `there are ${buffers} buffers, ${buffersBefore} before${added === 0 ? "" : `, and ${added} jobs more`}`
    : null;

const share = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
