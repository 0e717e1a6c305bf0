import { jain } from "../../domain/fairness.ts";
import type { DestinationHost } from "./host.ts";

/**
 * Jain's index of what the jobs of a host got, by weight, since the last call; the lowest of all hosts. Only jobs that
 * waited for most of the time competed: whoever asks for little gets little, and that is fair. 1 when nobody competed.
 *
 * @param sinceMillis when it was called before
 */
export const fairnessIndex = (
  hosts: ReadonlyMap<string, DestinationHost>,
  sinceMillis: number,
  nowMillis: number,
): number => {
  let lowest = 1;
  for (const host of hosts.values()) {
    for (const { enteredMillis, share } of [...host.firsts.all(), ...host.retries.all()]) {
      share.waitedMillis += nowMillis - Math.max(enteredMillis, sinceMillis);
    }
    const shares: Array<number> = [];
    for (const share of host.shares.values()) {
      if (share.waitedMillis * 2 > nowMillis - sinceMillis) shares.push(share.served);
      share.served = 0;
      share.waitedMillis = 0;
    }
    lowest = Math.min(lowest, jain(shares) ?? 1);
  }
  return lowest;
};
