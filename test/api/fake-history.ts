import { Effect, Layer } from "effect";
import { JobHistory, NotRestorable } from "../../src/api/job-history-port.ts";
import type { JobRevisionReport } from "../../src/api/job-history-reports.ts";
import { JobConflict, JobNotFound, type ShownJob } from "../../src/api/ports.ts";

/** What a scripted node remembers of its jobs. */
interface Remembering {
  readonly jobs: Map<string, ShownJob>;
  /** Newest first. */
  readonly revisions: Map<string, ReadonlyArray<JobRevisionReport>>;
  revision: number;
}

export const fakeHistory = (node: Remembering) =>
  Layer.succeed(JobHistory, {
    list: (id) =>
      Effect.suspend(() => {
        const revisions = node.revisions.get(id);
        return revisions === undefined ? Effect.fail(new JobNotFound({ id })) : Effect.succeed({ id, revisions });
      }),
    restore: Effect.fnUntraced(function* (id, wanted, expected) {
      const revisions = node.revisions.get(id);
      if (revisions === undefined) return yield* new JobNotFound({ id });
      const before = node.jobs.get(id);
      if (expected !== undefined && expected !== before?.revision)
        return yield* new JobConflict({ revision: before?.revision });
      if (before !== undefined && wanted === undefined) return yield* new NotRestorable({ detail: "It is there." });
      const job = revisions.find((each) => each.job !== undefined && (wanted ?? each.revision) === each.revision)?.job;
      if (job === undefined) return yield* new NotRestorable({ detail: `There is no revision ${wanted}.` });
      const stored = { job, revision: ++node.revision };
      node.jobs.set(id, stored);
      return { ...stored, change: before === undefined ? ("created" as const) : ("updated" as const) };
    }),
  });
