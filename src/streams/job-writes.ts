import { Effect } from "effect";
import type { JobChange, PushJob, StoredJob } from "../domain/push-job.ts";
import { type JobBucket, jobBytesMax, type JobEntry } from "./job-bucket.ts";
import { canonicalJob, encodeJob } from "./job-codec.ts";
import { JobConflict, JobStoreError } from "./job-store-error.ts";
import type { JobView } from "./job-view.ts";
import type { NatsError } from "./nats.ts";

export interface JobWriter {
  readonly bucket: JobBucket;
  readonly view: JobView;
  readonly jobsMax: number;
}

/** A job as it is stored now, and what was done to it. */
export interface WrittenJob extends StoredJob {
  readonly change: JobChange;
}

/** Somebody else may change the same job meanwhile; so often is the write tried on top of theirs. */
const attemptsMax = 5;

const unavailable = (error: NatsError) => new JobStoreError({ reason: "unavailable", message: error.detail });

/** See `JobStore.put`. Always compare-and-set, so that no check is overtaken by somebody else's write. */
export const putJob = Effect.fn("JobStore.put")(function* (
  { bucket, jobsMax, view }: JobWriter,
  job: PushJob,
  expectedRevision: number | undefined,
  restoreOf?: number,
): Effect.fn.Return<WrittenJob, JobStoreError | JobConflict> {
  const data = encodeJob(job);
  if (data.length > jobBytesMax) {
    const message = `Job ${job.id} takes ${data.length} bytes; at most ${jobBytesMax} are stored.`;
    return yield* new JobStoreError({ reason: "tooLarge", message });
  }
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const known = view.get(job.id);
    // A job that nobody here has heard of is most likely a new one: the write itself finds out.
    const guess = attempt === 1 && known === undefined;
    const entry = guess ? undefined : yield* bucket.read(job.id).pipe(Effect.mapError(unavailable));
    const current = entry?.job ?? (entry === undefined || entry.removed ? undefined : known?.job);
    if (!guess) yield* refuseConflict(job, current, entry, expectedRevision);
    if (entry?.job !== undefined && canonicalJob(entry.job) === canonicalJob(job)) {
      return { job, revision: entry.revision, change: "unchanged" };
    }
    if (current === undefined) yield* refuseOverLimit(job.id, view.count(), jobsMax);
    if (guess && (expectedRevision ?? 0) !== 0) continue;
    const revision = yield* bucket
      .write(job.id, data, entry?.revision ?? 0, restoreOf)
      .pipe(Effect.mapError(unavailable));
    if (revision === undefined) continue;
    view.wrote(job.id, revision, job);
    return { job, revision, change: current === undefined ? "created" : "updated" };
  }
  return yield* contended(job.id);
});

/** See `JobStore.remove`. The revision of the removal, or undefined when there was nothing to remove. */
export const removeJob = Effect.fn("JobStore.remove")(function* (
  { bucket, view }: JobWriter,
  id: string,
  expectedRevision: number | undefined,
): Effect.fn.Return<number | undefined, JobStoreError | JobConflict> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const entry = yield* bucket.read(id).pipe(Effect.mapError(unavailable));
    const exists = entry !== undefined && !entry.removed;
    if (expectedRevision !== undefined) yield* refuseRevision(id, exists ? entry.revision : 0, expectedRevision);
    if (!exists) return undefined;
    const revision = yield* bucket.mark(id, entry.revision).pipe(Effect.mapError(unavailable));
    if (revision === undefined) continue;
    view.wrote(id, revision, undefined);
    return revision;
  }
  return yield* contended(id);
});

const contended = (id: string) =>
  new JobStoreError({ reason: "contended", message: `Job ${id} is being changed by somebody else all the time.` });

const refuseOverLimit = (id: string, count: number, jobsMax: number) =>
  count < jobsMax
    ? Effect.void
    : Effect.fail(
        new JobStoreError({
          reason: "tooMany",
          message: `Job ${id} would be one more than limits.jobsMax (${jobsMax}) allows.`,
        }),
      );

const refuseConflict = (
  job: PushJob,
  current: PushJob | undefined,
  entry: JobEntry | undefined,
  expectedRevision: number | undefined,
): Effect.Effect<void, JobConflict> => {
  const revision = entry === undefined || entry.removed ? 0 : entry.revision;
  if (current !== undefined && (current.customer !== job.customer || current.dataset !== job.dataset)) {
    const message = `Job ${job.id} delivers ${current.dataset} of ${current.customer}. The customer and dataset of a job cannot change: give the new one another id.`;
    return Effect.fail(new JobConflict({ reason: "identity", job: job.id, revision, message }));
  }
  return expectedRevision === undefined ? Effect.void : refuseRevision(job.id, revision, expectedRevision);
};

const refuseRevision = (id: string, actual: number, expected: number) =>
  actual === expected
    ? Effect.void
    : Effect.fail(
        new JobConflict({
          reason: "revision",
          job: id,
          revision: actual,
          message:
            actual === 0
              ? `Job ${id} does not exist; revision ${expected} was expected.`
              : `Job ${id} is at revision ${actual}, not ${expected}: somebody changed it meanwhile.`,
        }),
      );
