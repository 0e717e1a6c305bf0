import { encodeRemoval } from "../../snapshot/removal.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import type { PendingJobs, StoredJobs } from "../../streams/stored-jobs.ts";
import { type Aside, isAside } from "./aside.ts";

/** Which of the changes that wait are to be in the next snapshot. */
export interface WaitingChanges {
  /** Those of these customers; undefined: all of them. */
  readonly customers: ReadonlySet<string> | undefined;
  /** The store's sequence up to which, with them, everything is in force. */
  readonly position: number;
  /** The store's sequence up to which it was read when they were decided on. */
  readonly storedPosition: number;
}

/** So many customers with a small change each have theirs one after the other; more are a wave, and go together. */
const customersMax = 8;

/** In so many, nobody looks for customers with a small change. */
const looseJobsMax = 10_000;

/** What a person looks at, or asks for: nothing of it may come behind their back. */
export const allWaiting = (stored: StoredJobs, storedPosition: number): WaitingChanges => ({
  customers: undefined,
  // What is held back comes with a snapshot of its own: this one does not claim to have it.
  position: Math.max(0, Math.min(storedPosition, (stored.heldBackFrom() ?? Infinity) - 1)),
  storedPosition,
});

export interface WaitingBounds {
  readonly isFirst: boolean;
  readonly smallChangeJobsMax: number;
  /** What was refused already. */
  readonly aside?: Aside | undefined;
}

/**
 * What goes out by itself. Customers whose change is small come first, one by one, the oldest change first: each is
 * live at once, whatever the others do. Those whom one transaction has changed stay together. Everything else is one
 * snapshot.
 *
 * @returns undefined when all that waits is set aside
 */
export const nextWaiting = (
  stored: StoredJobs,
  storedPosition: number,
  { aside, isFirst, smallChangeJobsMax }: WaitingBounds,
): WaitingChanges | undefined => {
  const all = allWaiting(stored, storedPosition);
  if (isFirst || (aside === undefined && stored.pending > looseJobsMax)) return all;
  const { byCustomer, revisions } = ofCustomers(stored);
  const ready = [...byCustomer].filter(([customer, { newest }]) => !isAside(aside, customer, newest));
  if (ready.length === 0) return byCustomer.size === 0 ? all : undefined;
  const small = ready.filter(([, { count }]) => count <= smallChangeJobsMax);
  const isWave = small.length === 0 || small.length > customersMax;
  const chosen = isWave ? ready : [small.reduce((a, b) => (b[1].oldest < a[1].oldest ? b : a))];
  const customers = stored.withWrittenTogether(
    chosen.map(([customer]) => customer),
    revisions,
  );
  let othersFrom = Infinity;
  for (const [customer, { oldest }] of byCustomer)
    if (!customers.has(customer)) othersFrom = Math.min(othersFrom, oldest);
  if (othersFrom === Infinity) return all;
  return { ...all, customers, position: Math.max(0, Math.min(all.position, othersFrom - 1)) };
};

interface CustomersChanges {
  readonly count: number;
  /** Revisions. */
  readonly oldest: number;
  readonly newest: number;
}

const ofCustomers = (stored: StoredJobs) => {
  const byCustomer = new Map<string, CustomersChanges>();
  const revisions: Array<number> = [];
  for (const { pairKey, revision } of changesOf(pendingOf(stored), undefined)) {
    const { customer } = pairOf(pairKey);
    const before = byCustomer.get(customer) ?? { count: 0, oldest: Infinity, newest: 0 };
    byCustomer.set(customer, {
      count: before.count + 1,
      oldest: Math.min(before.oldest, revision),
      newest: Math.max(before.newest, revision),
    });
    revisions.push(revision);
  }
  return { byCustomer, revisions };
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

/** As it is while nothing changes. */
export const pendingOf = (stored: StoredJobs): PendingJobs => ({
  puts: () => stored.pendingPuts(),
  removals: () => stored.pendingRemovals(),
});

/** @param customers whose; undefined: everybody's */
export function* changesOf(
  pending: PendingJobs,
  customers: WaitingChanges["customers"],
): Generator<{ readonly id: string; readonly pairKey: string; readonly revision: number }> {
  for (const all of [pending.puts(), pending.removals()]) {
    for (const each of all) if (customers === undefined || customers.has(pairOf(each.pairKey).customer)) yield each;
  }
}

function* entriesIn(pending: PendingJobs, nowMillis: number): Generator<SnapshotEntry> {
  for (const { data, enabled, id, pairKey, revision } of pending.puts()) {
    yield { id, state: enabled ? "enabled" : "disabled", revision, ...pairOf(pairKey), data };
  }
  for (const { id, last, pairKey, revision } of pending.removals()) {
    yield { id, state: "removed", revision, ...pairOf(pairKey), data: encodeRemoval({ millis: nowMillis, last }) };
  }
}

/** Whether all that was taken still waits as it was; more may wait since. */
export const isStillStored = (
  stored: StoredJobs,
  { customers, pending }: Pick<WaitingChanges, "customers"> & { readonly pending: PendingJobs },
): boolean => {
  const then = new Map<string, number>();
  for (const { id, pairKey, revision } of changesOf(pending, customers)) then.set(`${id} ${pairKey}`, revision);
  for (const { id, pairKey, revision } of changesOf(pendingOf(stored), customers)) {
    const of = `${id} ${pairKey}`;
    if (then.get(of) === revision) then.delete(of);
  }
  return then.size === 0;
};

const pairOf = (pairKey: string) => {
  const [customer = "", dataset = ""] = pairKey.split(".");
  return { customer, dataset };
};
