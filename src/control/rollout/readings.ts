import type { NodeReport, NodeSignals } from "../../streams/config-messages.ts";

/** Fewer attempts than these say nothing. */
const attemptsMin = 20;
/** How much more of the attempts may fail than before, in percent of them. */
const failedPercentMore = 10;
/** Below this share of what it was, delivery has broken down; where it was next to nothing, nothing can be said. */
const deliveredShareMin = 0.5;
const deliveredPerSecondMin = 10;
/** A backlog may double, and grow by so much. */
const backlogFactorMax = 2;
const backlogBytesMore = 16_777_216;
const buffersFactorMax = 1.5;
const buffersMore = 100;

const zero: NodeSignals = {
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
};

/**
 * How it goes for the customers that have the new snapshot, against how it went for the same customers before.
 *
 * @param number the snapshot that nodes serve now; what was read under another says nothing of it
 * @returns undefined when no node says anything; `breached` null when all is well
 */
export const reading = (
  reports: ReadonlyArray<NodeReport>,
  number: number,
): { readonly breached: string | null } | undefined => {
  const signals = reports.flatMap((report) => (report.signals?.number === number ? [report.signals] : []));
  if (signals.length === 0) return undefined;
  return { breached: breachOf(signals.reduce(sum, zero)) };
};

const sum = (a: NodeSignals, b: NodeSignals): NodeSignals => ({
  number: b.number,
  deliveredPerSecond: a.deliveredPerSecond + b.deliveredPerSecond,
  deliveredPerSecondBefore: a.deliveredPerSecondBefore + b.deliveredPerSecondBefore,
  attempts: a.attempts + b.attempts,
  failures: a.failures + b.failures,
  attemptsBefore: a.attemptsBefore + b.attemptsBefore,
  failuresBefore: a.failuresBefore + b.failuresBefore,
  backlogBytes: a.backlogBytes + b.backlogBytes,
  backlogBytesBefore: a.backlogBytesBefore + b.backlogBytesBefore,
  buffers: a.buffers + b.buffers,
  buffersBefore: a.buffersBefore + b.buffersBefore,
});

const breachOf = (all: NodeSignals): string | null => {
  const failed = share(all.failures, all.attempts);
  const failedBefore = share(all.failuresBefore, all.attemptsBefore);
  if (all.attempts >= attemptsMin && failed > failedBefore + failedPercentMore)
    return `${failed.toFixed(1)} % of the pushes fail, ${failedBefore.toFixed(1)} % before`;
  const isLess = all.deliveredPerSecond < all.deliveredPerSecondBefore * deliveredShareMin;
  if (all.deliveredPerSecondBefore >= deliveredPerSecondMin && isLess)
    return `${all.deliveredPerSecond.toFixed(0)} records/s are delivered, ${all.deliveredPerSecondBefore.toFixed(0)} before`;
  if (all.backlogBytes > all.backlogBytesBefore * backlogFactorMax + backlogBytesMore)
    return `${all.backlogBytes} bytes wait, ${all.backlogBytesBefore} before`;
  if (all.buffers > all.buffersBefore * buffersFactorMax + buffersMore)
    return `there are ${all.buffers} buffers, ${all.buffersBefore} before`;
  return null;
};

const share = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
