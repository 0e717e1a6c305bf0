import { Effect, Result } from "effect";
import { canonicalJob } from "../streams/job-codec.ts";
import { JobStore } from "../streams/job-store.ts";
import type { JobConflict, JobStoreError } from "../streams/job-store-error.ts";
import type { PushJob, StoredJob } from "../domain/push-job.ts";
import { type JobsFile, type JobsFileError, readJobsFile } from "./jobs-file.ts";
import type { Problem } from "./problem.ts";
import { restoreRedacted } from "./redact-job.ts";

/** What applying a jobs file did. */
export interface AppliedJobs {
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Stored jobs that the file does not name. They stay: absence is never deletion. */
  readonly notInFile: number;
  /** The highest revision written, for `JobStore.awaitServed`; 0 when nothing was. */
  readonly revision: number;
}

const writesInFlightMax = 64;

/**
 * Stores the jobs of a file that differ from what is stored. Nothing is written unless all of them can be: a job of
 * another customer or dataset than the stored one of that id, or a "[redacted]" that stands for nothing, is an error.
 */
export const applyJobsFile = Effect.fn("control.applyJobsFile")(function* (
  path: string,
): Effect.fn.Return<AppliedJobs, JobsFileError | JobStoreError | JobConflict, JobStore> {
  const store = yield* JobStore;
  const file = yield* readJobsFile(path);
  const stored = new Map<string, StoredJob>();
  // Asked one by one: a file of a few jobs must not cost what a million stored ones do.
  for (const { id } of file.jobs) {
    const before = yield* store.get(id);
    if (before !== undefined) stored.set(id, before);
  }
  const jobs = yield* againstStored(file, stored);
  const differing = jobs.filter((job) => {
    const before = stored.get(job.id);
    return before === undefined || canonicalJob(before.job) !== canonicalJob(job);
  });
  const written = yield* Effect.forEach(differing, (job) => store.put(job), { concurrency: writesInFlightMax });
  const added = differing.filter(({ id }) => !stored.has(id)).length;
  return {
    added,
    changed: differing.length - added,
    unchanged: jobs.length - differing.length,
    notInFile: (yield* store.count) - jobs.length,
    revision: written.reduce((highest, { revision }) => Math.max(highest, revision), 0),
  };
});

const againstStored = (
  file: JobsFile,
  stored: ReadonlyMap<string, StoredJob>,
): Effect.Effect<ReadonlyArray<PushJob>, JobsFileError> => {
  const problems: Array<readonly [number, Problem]> = [];
  const jobs = file.jobs.map((job, index) => {
    const before = stored.get(job.id)?.job;
    for (const part of ["customer", "dataset"] as const) {
      if (before === undefined || before[part] === job[part]) continue;
      const message = `cannot change: stored job ${job.id} has ${before[part]}; give the new one another id`;
      problems.push([index, { path: [part], message }]);
    }
    const restored = restoreRedacted(job, before);
    if (Result.isSuccess(restored)) return restored.success;
    problems.push(...restored.failure.map((problem) => [index, problem] as const));
    return job;
  });
  return problems.length > 0 ? Effect.fail(file.error(problems)) : Effect.succeed(jobs);
};
