import { Result } from "effect";
import { restoreRedacted } from "../control/redact-job.ts";
import { settingsProblems } from "../destinations/registry.ts";
import type { CompleteJob } from "../streams/plan-transaction.ts";

/**
 * Asked against the stored job of that moment: a secret is kept as it is then, not as it was when it was shown. What
 * this node would never deliver to is refused before it is stored: stored, it would hold up what comes after it.
 */
export const completeJob =
  (options: { readonly allowPrivateDestinations: boolean }): CompleteJob =>
  (job, stored) => {
    const restored = restoreRedacted(job, stored);
    if (Result.isFailure(restored)) return restored;
    const problems = settingsProblems(restored.success.destination, options);
    return problems.length === 0
      ? restored
      : Result.fail(problems.map((message) => ({ path: ["destination"], message })));
  };
