import type { Proposal, TakenChanges } from "./proposal.ts";

/** Changes that went out by themselves and were refused: whatever is stored after them does not wait for them. */
export interface Aside {
  /** What the first of them was judged against: once that is another, all of them may be good. See `TakenChanges`. */
  readonly against: string;
  /** All that was stored up to this sequence was refused together; 0: nothing was. */
  readonly upTo: number;
  /** What a customer had stored up to this sequence was refused by itself. */
  readonly customers: ReadonlyMap<string, number>;
  /** The last of it that was refused. */
  readonly refused: Proposal;
  /** With this store and this base nothing else waits. */
  readonly nothingElseAt?: string;
}

/** Whether a customer's newest change was refused already. */
export const isAside = (aside: Aside | undefined, customer: string, newest: number): boolean =>
  aside !== undefined && newest <= Math.max(aside.upTo, aside.customers.get(customer) ?? 0);

export const setAside = (before: Aside | undefined, refused: Proposal, taken: TakenChanges): Aside => {
  const { against = taken.against, customers: others, upTo = 0 } = before ?? {};
  if (taken.customers === undefined) return { against, upTo: taken.storedPosition, customers: new Map(), refused };
  const customers = new Map(others);
  for (const customer of taken.customers) customers.set(customer, taken.storedPosition);
  return { against, upTo, customers, refused };
};
