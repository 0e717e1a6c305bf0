import type { PushOutcome } from "../../domain/push-outcome.ts";

/**
 * What a push's outcome says about the destination's host, as opposed to the job's own URL, key or records:
 *
 * - `good`: the host took it;
 * - `answered`: the host is there and said no, for this job (401, 404, 413, …);
 * - `throttled`: the host wants less (429, or 503 with Retry-After);
 * - `erring`: the host is there and fails (5xx);
 * - `silent`: no answer at all (refused, reset, no such name, timeout);
 * - `nothing`: it has not been asked, or it is no fault of its own.
 */
export type Evidence = "good" | "answered" | "throttled" | "erring" | "silent" | "nothing";

export const evidenceOf = (outcome: PushOutcome): Evidence => {
  if (outcome._tag === "Delivered") return "good";
  if (outcome._tag === "Rejected") return outcome.status === undefined ? "nothing" : "answered";
  switch (outcome.reason) {
    case "throttled":
      return "throttled";
    case "server-error":
      return outcome.status === 503 && outcome.retryAfterMillis !== undefined ? "throttled" : "erring";
    case "timeout":
    case "connection-refused":
    case "connection-reset":
    case "dns":
    case "other":
      return outcome.status === undefined ? "silent" : "answered";
    case "storage-full":
    case "circuit-open":
    case "host-paused":
    case "switched-off":
      return "nothing";
  }
};
