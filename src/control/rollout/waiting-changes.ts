import { encodeRemoval } from "../../snapshot/removal.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import type { StoredJobs } from "../../streams/stored-jobs.ts";

/** What is to be in the next snapshot. */
export interface WaitingChanges {
  readonly entries: Iterable<SnapshotEntry>;
  /** The store's sequence up to which, with them, everything is in force. */
  readonly position: number;
}

/** So many customers with a small change each have theirs one after the other; more are a wave, and go together. */
const customersMax = 8;

/**
 * Customers whose change is small come one by one, the oldest change first: each is live at once, whatever the others
 * do. Everything else is one snapshot.
 */
export const waitingChanges = (
  stored: StoredJobs,
  storedPosition: number,
  {
    isFirst,
    nowMillis,
    smallChangeJobsMax,
  }: { readonly isFirst: boolean; readonly nowMillis: number; readonly smallChangeJobsMax: number },
): WaitingChanges => {
  // What is held back comes with a snapshot of its own: this one does not claim to have it.
  const position = Math.min(storedPosition, (stored.heldBackFrom() ?? Infinity) - 1);
  const all = { [Symbol.iterator]: () => entriesIn(stored, nowMillis) };
  if (isFirst || stored.pending > customersMax * smallChangeJobsMax) return { entries: all, position };
  const byCustomer = new Map<string, Array<SnapshotEntry>>();
  for (const entry of all) {
    const entries = byCustomer.get(entry.customer) ?? [];
    entries.push(entry);
    byCustomer.set(entry.customer, entries);
    if (byCustomer.size > customersMax || entries.length > smallChangeJobsMax) return { entries: all, position };
  }
  const [first, ...others] = [...byCustomer.values()].toSorted((a, b) => oldest(a) - oldest(b));
  if (first === undefined || others.length === 0) return { entries: all, position };
  return { entries: first, position: Math.min(position, Math.min(...others.map(oldest)) - 1) };
};

const oldest = (entries: ReadonlyArray<SnapshotEntry>): number => Math.min(...entries.map(({ revision }) => revision));

function* entriesIn(stored: StoredJobs, nowMillis: number): Generator<SnapshotEntry> {
  for (const { data, enabled, id, pairKey, revision } of stored.pendingPuts()) {
    yield { id, state: enabled ? "enabled" : "disabled", revision, ...pairOf(pairKey), data };
  }
  for (const { id, last, pairKey, revision } of stored.pendingRemovals()) {
    yield { id, state: "removed", revision, ...pairOf(pairKey), data: encodeRemoval({ millis: nowMillis, last }) };
  }
}

const pairOf = (pairKey: string) => {
  const [customer = "", dataset = ""] = pairKey.split(".");
  return { customer, dataset };
};
