import { Context, type Effect, Schema } from "effect";
import type { JobHistoryReport } from "./job-history-reports.ts";
import type { ApiUnavailable, ExpectedRevision, InvalidJob, JobConflict, JobNotFound, WrittenJob } from "./ports.ts";

/** There is nothing to bring back; nothing was stored. */
export class NotRestorable extends Schema.TaggedError<NotRestorable>()("NotRestorable", {
  /** What is there instead, and what to do. */
  detail: Schema.String,
}) {}

/** The revisions of push jobs, redacted. */
export class JobHistory extends Context.Service<
  JobHistory,
  {
    readonly list: (id: string) => Effect.Effect<JobHistoryReport, JobNotFound | ApiUnavailable>;
    /**
     * Stores the settings of an earlier revision, secrets included, as a new one: of a job that was deleted by default
     * those that it had last. Live when it completes, as after `JobsAdmin.put`.
     */
    readonly restore: (
      id: string,
      revision: number | undefined,
      expected: ExpectedRevision,
    ) => Effect.Effect<WrittenJob, JobNotFound | NotRestorable | InvalidJob | JobConflict | ApiUnavailable>;
  }
>()("spillway/api/JobHistory") {}
