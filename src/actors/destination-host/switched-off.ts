import { nameOfSwitch } from "../../domain/kill-switch.ts";
import { deferred, type PushOutcome } from "../../domain/push-outcome.ts";
import type { PushJob } from "../../domain/push-job.ts";
import type { KillSwitchesView } from "../ports/kill-switches.ts";

/**
 * What is held looks again by itself so soon at the earliest. Seldom, for it may be everything; whoever takes a switch
 * away wakes what was held for it.
 */
export const heldRetryMillisMin = 15_000;
/** Not all in the same moment. */
const heldSpreadMillis = 5_000;

/**
 * The outcome of a push that must not begin; undefined: it may.
 *
 * @param jitter uniform in [0, 1)
 */
export const switchedOff = (
  switches: KillSwitchesView,
  { customer, dataset }: Pick<PushJob, "customer" | "dataset">,
  host: string,
  jitter: () => number,
): PushOutcome | undefined => {
  const held = switches.current().holding(customer, dataset, host);
  if (held === undefined) return undefined;
  const detail = `not tried: the kill switch for ${nameOfSwitch(held)} is on`;
  const retryAfterMillis = heldRetryMillisMin + Math.floor(jitter() * heldSpreadMillis);
  return deferred("switched-off", detail, { retryAfterMillis, ambiguous: false });
};
