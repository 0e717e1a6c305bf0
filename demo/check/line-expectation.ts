import { hash } from "node:crypto";
import { count, eachLine, type Expectation } from "./findings.ts";

/**
 * For records of a file, which have no id of ours: the multiset of lines per customer, by SHA-1. It tells what is
 * missing,
 * there too often, or nobody's; not the order.
 */
export const expectLines = (): Expectation => {
  /** How many of each are still to be found; 0 stays, so that one more is a duplicate and not a stranger. */
  const left = new Map<string, number>();
  const duplicatedOf = new Map<number, number>();
  const totals = { sent: 0, found: 0, unknown: 0 };

  return {
    expect: (customer, _first, content) =>
      eachLine(content, (line) => {
        const key = keyOf(customer, line);
        left.set(key, (left.get(key) ?? 0) + 1);
        totals.sent += 1;
      }),
    find: (customer, content) =>
      eachLine(content, (line) => {
        const key = keyOf(customer, line);
        const remaining = left.get(key);
        if (remaining === undefined) {
          totals.unknown += 1;
        } else if (remaining === 0) {
          count(duplicatedOf, customer);
        } else {
          left.set(key, remaining - 1);
          totals.found += 1;
        }
      }),
    rank: () => 0,
    findings: () => ({
      found: totals.found,
      missing: totals.sent - totals.found,
      duplicatedOf,
      unknown: totals.unknown,
      corrupted: 0,
      misplaced: 0,
      outOfOrder: 0,
      customersDiffering: 0,
    }),
  };
};

const keyOf = (customer: number, line: Buffer): string => `${customer}:${hash("sha1", line, "base64")}`;
