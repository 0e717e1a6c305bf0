import { encodeRemoval } from "../../snapshot/removal.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import type { PendingJobs, StoredJobs } from "../../streams/stored-jobs.ts";

/** Which of the changes that wait are to be in the next snapshot. */
export interface WaitingChanges {
  /** Those of these customers; undefined: all of them. */
  readonly customers: ReadonlySet<string> | undefined;
  /** The store's sequence up to which, with them, everything is in force. */
  readonly position: number;
}

/** So many customers with a small change each have theirs one after the other; more are a wave, and go together. */
const customersMax = 8;

/** What a person looks at, or asks for: nothing of it may come behind their back. */
export const allWaiting = (stored: StoredJobs, storedPosition: number): WaitingChanges => ({
  customers: undefined,
  // What is held back comes with a snapshot of its own: this one does not claim to have it.
  position: Math.max(0, Math.min(storedPosition, (stored.heldBackFrom() ?? Infinity) - 1)),
});

/**
 * What goes out by itself. Customers whose change is small come one by one, the oldest change first: each is live at
 * once, whatever the others do. Those whom one transaction has changed stay together. Everything else is one snapshot.
 */
export const nextWaiting = (
  stored: StoredJobs,
  storedPosition: number,
  { isFirst, smallChangeJobsMax }: { readonly isFirst: boolean; readonly smallChangeJobsMax: number },
): WaitingChanges => {
  const all = allWaiting(stored, storedPosition);
  if (isFirst || stored.pending > customersMax * smallChangeJobsMax) return all;
  const revisions = new Map<string, Array<number>>();
  for (const { pairKey, revision } of pendingOf(stored)) {
    const { customer } = pairOf(pairKey);
    const ofCustomer = revisions.get(customer) ?? [];
    ofCustomer.push(revision);
    revisions.set(customer, ofCustomer);
    if (revisions.size > customersMax || ofCustomer.length > smallChangeJobsMax) return all;
  }
  const oldest = (customer: string): number => Math.min(...revisions.get(customer)!);
  const [first] = [...revisions.keys()].toSorted((a, b) => oldest(a) - oldest(b));
  if (first === undefined) return all;
  const customers = stored.withWrittenTogether(first, [...revisions.values()].flat());
  const others = [...revisions.keys()].filter((customer) => !customers.has(customer));
  if (others.length === 0) return all;
  return { customers, position: Math.max(0, Math.min(all.position, Math.min(...others.map(oldest)) - 1)) };
};

/** They can be gone through more than once. */
export const entriesOf = (
  pending: PendingJobs,
  { customers }: WaitingChanges,
  nowMillis: number,
): Iterable<SnapshotEntry> => ({
  *[Symbol.iterator]() {
    for (const entry of entriesIn(pending, nowMillis)) {
      if (customers === undefined || customers.has(entry.customer)) yield entry;
    }
  },
});

function* pendingOf(stored: StoredJobs) {
  yield* stored.pendingPuts();
  yield* stored.pendingRemovals();
}

function* entriesIn(pending: PendingJobs, nowMillis: number): Generator<SnapshotEntry> {
  for (const { data, enabled, id, pairKey, revision } of pending.puts()) {
    yield { id, state: enabled ? "enabled" : "disabled", revision, ...pairOf(pairKey), data };
  }
  for (const { id, last, pairKey, revision } of pending.removals()) {
    yield { id, state: "removed", revision, ...pairOf(pairKey), data: encodeRemoval({ millis: nowMillis, last }) };
  }
}

const pairOf = (pairKey: string) => {
  const [customer = "", dataset = ""] = pairKey.split(".");
  return { customer, dataset };
};
