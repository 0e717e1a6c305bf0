import type { OverloadPolicy } from "../../domain/push-job.ts";

export interface QuotaLimits {
  readonly backlogBytesPerCustomerMax: number;
  readonly backlogAgeSecondsMax: number;
  readonly backlogEasedPercent: number;
}

/** What a buffer's backlog is judged by. */
export interface BacklogFacts {
  readonly customer: string;
  readonly policy: OverloadPolicy;
  readonly pendingBytes: number;
  /** Of its oldest record, by the clock of the log's server; 0 without a backlog, or when it is not known. */
  readonly ageMillis: number;
  /** Fed by the reader, and so within what one window may hold. */
  readonly live: boolean;
  /** `overloaded.refuse`, `overloaded.shedOldest` or anything else; undefined while its actor restarts. */
  readonly flow: string | undefined;
}

export type QuotaEvent =
  | { readonly type: "backlog.exceeded"; readonly policy: OverloadPolicy }
  | { readonly type: "backlog.eased" };

/**
 * What each buffer is to be told of its customer's backlog, over all partitions of this node. Judged anew each time, so
 * that a buffer that has restarted meanwhile is told again.
 *
 * Over the quota in bytes, a customer's largest lagging backlogs are over it, as many as it takes; in age, each that is
 * too old. So one dead destination does not stop its owner's other datasets. A backlog that is over its quota stays so
 * until it is well below it.
 */
export const judgeBacklogs = (
  backlogs: ReadonlyArray<BacklogFacts>,
  limits: QuotaLimits,
): ReadonlyArray<QuotaEvent | undefined> => {
  const bytesByCustomer = new Map<string, number>();
  for (const { customer, pendingBytes } of backlogs) {
    bytesByCustomer.set(customer, (bytesByCustomer.get(customer) ?? 0) + pendingBytes);
  }
  const tooMuch = largestOf(backlogs, bytesByCustomer, limits);
  const easedBytes = (limits.backlogBytesPerCustomerMax * limits.backlogEasedPercent) / 100;
  const ageMillisMax = limits.backlogAgeSecondsMax * 1_000;
  const easedMillis = (ageMillisMax * limits.backlogEasedPercent) / 100;
  return backlogs.map((facts) => {
    if (facts.flow === undefined) return undefined;
    const { ageMillis } = facts;
    const isOverloaded = facts.flow.startsWith("overloaded.");
    const holds = facts.pendingBytes > 0;
    if (holds && (ageMillis > ageMillisMax || tooMuch.has(facts))) return exceeded(facts);
    if (!isOverloaded) return undefined;
    const isEased = bytesByCustomer.get(facts.customer)! <= easedBytes && ageMillis <= easedMillis;
    return !holds || isEased ? { type: "backlog.eased" } : exceeded(facts);
  });
};

/** Nothing to tell a buffer that knows. */
const exceeded = ({ flow, policy }: BacklogFacts): QuotaEvent | undefined =>
  flow === `overloaded.${policy}` ? undefined : { type: "backlog.exceeded", policy };

/** Per customer over its quota: its largest lagging backlogs, until the rest is within it or in windows. */
const largestOf = (
  backlogs: ReadonlyArray<BacklogFacts>,
  bytesByCustomer: ReadonlyMap<string, number>,
  { backlogBytesPerCustomerMax }: QuotaLimits,
): ReadonlySet<BacklogFacts> => {
  const over = new Map<string, number>();
  for (const [customer, bytes] of bytesByCustomer) {
    if (bytes > backlogBytesPerCustomerMax) over.set(customer, bytes);
  }
  if (over.size === 0) return new Set();
  const found = new Set<BacklogFacts>();
  const candidates = backlogs.filter((each) => !each.live && each.pendingBytes > 0 && over.has(each.customer));
  for (const facts of candidates.toSorted((a, b) => b.pendingBytes - a.pendingBytes)) {
    const left = over.get(facts.customer)!;
    if (left <= backlogBytesPerCustomerMax) continue;
    over.set(facts.customer, left - facts.pendingBytes);
    found.add(facts);
  }
  return found;
};
