import type { PushAnswer, Refusal } from "./push-attempt.ts";
import type { PushOutcome } from "./push-outcome.ts";
import { retryDelayMillis } from "./retry-policy.ts";

/** What an outcome means for its batch, and how long to wait after it. Pure: time and jitter are inputs. */

/** How things stand with the batch that was tried, and the limits that apply. */
export interface Standing {
  /** Failed attempts before this one. */
  readonly failures: number;
  /** Whether an earlier attempt may have landed. */
  readonly ambiguous: boolean;
  /** Whether a newer revision of the job waits. */
  readonly revised: boolean;
  readonly retryBaseMillis: number;
  readonly retryMillisMax: number;
  readonly suspendedProbeMillis: number;
  readonly unresolvedFailuresMax: number;
}

/** One batch's own fault: taken apart, it may be delivered but for a few records. */
export const isDataLike = (outcome: PushOutcome): boolean => outcome._tag === "Rejected" && outcome.reason === "data";

/** The job's fault, as far as can be told: nothing that waiting mends. */
export const isConfigurationLike = (
  outcome: PushOutcome,
  { failures, unresolvedFailuresMax }: Pick<Standing, "failures" | "unresolvedFailuresMax">,
): boolean =>
  outcome._tag === "Rejected"
    ? outcome.reason !== "data"
    : // A resolver fails now and then; a name that does not exist fails always.
      outcome._tag === "Deferred" && outcome.reason === "dns" && failures + 1 >= unresolvedFailuresMax;

/** Stopped by a person: it says nothing about the destination, and is no attempt in any reckoning. */
export const isHeld = (outcome: PushOutcome): boolean =>
  outcome._tag === "Deferred" && outcome.reason === "switched-off";

/** Not asked at all: other pushes to this host have failed, it has asked for a pause, or a kill switch is on. */
export const isNotTried = (outcome: PushOutcome): boolean =>
  outcome._tag === "Deferred" &&
  (outcome.reason === "circuit-open" || outcome.reason === "host-paused" || isHeld(outcome));

export const mayHaveLanded = ({ ambiguous }: Pick<Standing, "ambiguous">, { outcome }: PushAnswer): boolean =>
  ambiguous || (outcome._tag === "Deferred" && outcome.ambiguous);

/** Until the next attempt, in milliseconds. */
export const delayAfter = (context: Standing, { jitter, outcome }: PushAnswer): number => {
  if (outcome._tag === "Delivered" || isDataLike(outcome)) return 0;
  if (!context.revised && isConfigurationLike(outcome, context)) return probeDelayMillis(context, jitter);
  const policy = { baseMillis: context.retryBaseMillis, maxMillis: context.retryMillisMax };
  const retryAfterMillis = outcome._tag === "Deferred" ? outcome.retryAfterMillis : undefined;
  // What waits for a circuit comes when it is probed, not all at the same moment.
  return retryDelayMillis(policy, context.failures + 1, jitter, retryAfterMillis);
};

/** With jitter, so that the many jobs of a host that was repaired do not come together. */
export const probeDelayMillis = (
  { suspendedProbeMillis }: Pick<Standing, "suspendedProbeMillis">,
  jitter: number,
): number => Math.floor(suspendedProbeMillis * (0.5 + jitter / 2));

export const refusalOf = (outcome: PushOutcome): Refusal | null =>
  outcome._tag === "Delivered"
    ? null
    : { reason: outcome.reason, detail: outcome.detail, status: outcome.status ?? null };
