import type { JobChange, PushJob } from "../../domain/push-job.ts";

/** A push job as the API shows it, secrets redacted. */
export interface ShownJob {
  readonly job: PushJob;
  readonly revision: number;
}

/** The same, as the answer to a PUT. */
export interface WrittenJob extends ShownJob {
  readonly change: JobChange;
}

export const jobPath = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`;
