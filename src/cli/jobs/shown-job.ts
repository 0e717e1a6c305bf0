import type { PushJob } from "../../domain/push-job.ts";

/** A push job as the API shows it, secrets redacted. */
export interface ShownJob {
  readonly job: PushJob;
  readonly revision: number;
}

export const jobPath = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`;
