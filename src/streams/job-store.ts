import { Context, Effect } from "effect";
import { type JobAbsence, Jobs } from "../actors/ports/jobs.ts";
import type { EditedJob, JobEdit } from "../domain/job-transaction.ts";
import type { IdPage } from "../domain/id-page.ts";
import type { PushJob, StoredJob } from "../domain/push-job.ts";
import type { JobBucket } from "./job-bucket.ts";
import type { JobRevision } from "./job-revisions.ts";
import type { JobServing } from "./job-serving.ts";
import { type JobConflict, JobStoreError, type TransactionRefused } from "./job-store-error.ts";
import { changeJobs, checkJobs, type TransactionOptions } from "./job-transaction.ts";
import { type JobWriter, putJob, removeJob, type WrittenJob } from "./job-writes.ts";
import type { StoredJobs } from "./stored-jobs.ts";

const servedMillisMax = 2_000;
const servedPollMillis = 5;

/** The push jobs as people and scripts change them. What this node wrote, it reads back at once. */
export class JobStore extends Context.Service<
  JobStore,
  {
    /** Jobs by id, those after one and no more than so many. What is there all along is in one of the pages. */
    readonly page: (after: string | undefined, limit: number) => Effect.Effect<IdPage<StoredJob>, JobStoreError>;
    readonly get: (id: string) => Effect.Effect<StoredJob | undefined, JobStoreError>;
    /** How many there are. */
    readonly count: Effect.Effect<number, JobStoreError>;
    /**
     * Creates or replaces. With `expectedRevision` only if that is the job's revision (0: only if there is none). The
     * customer and dataset of an existing id cannot change. An identical job keeps its revision.
     */
    readonly put: (
      job: PushJob,
      expectedRevision?: number,
      /** The revision whose settings these are: noted with the new one. */
      restoreOf?: number,
    ) => Effect.Effect<WrittenJob, JobStoreError | JobConflict>;
    /** Every revision of a job that the store remembers (20), oldest first, removals too. Empty: it never was. */
    readonly history: (id: string) => Effect.Effect<ReadonlyArray<JobRevision>, JobStoreError>;
    /** Whether it existed. Completes when this node acts on it, at the latest after 2 s. */
    readonly remove: (id: string, expectedRevision?: number) => Effect.Effect<boolean, JobStoreError | JobConflict>;
    /**
     * Puts and removes up to 1,000 jobs as one transaction: all or nothing. Everything is looked at before anything is
     * written, and what is as it is to be is not written. Answers in the order of the changes, before they are served.
     */
    readonly change: (
      edits: ReadonlyArray<JobEdit>,
      options?: TransactionOptions,
    ) => Effect.Effect<ReadonlyArray<EditedJob>, JobStoreError | TransactionRefused>;
    /**
     * What `change` would come to by what this node knows, without a request and for any number of changes. Only
     * `change` itself is sure.
     */
    readonly check: (
      edits: ReadonlyArray<JobEdit>,
      options?: Pick<TransactionOptions, "complete">,
    ) => Effect.Effect<ReadonlyArray<EditedJob>, JobStoreError | TransactionRefused>;
    /** Completes when this node serves (owners and forwarder) at least this revision; fails after 2 s. */
    readonly awaitServed: (revision: number) => Effect.Effect<void, JobStoreError>;
  }
>()("spillway/streams/JobStore") {}

/** What `Jobs` answers from. */
export interface JobsSource {
  readonly bucket: JobBucket;
  readonly stored: StoredJobs;
  readonly serving: JobServing;
}

export const makeJobs = ({ bucket, serving, stored }: JobsSource): Jobs["Service"] =>
  Jobs.of({
    served: serving.served,
    onChange: serving.onChange,
    atRevision: (id, revision) => {
      const known = [serving.served().byId.get(id), stored.get(id)].find((job) => job?.revision === revision);
      if (known !== undefined) return Effect.succeed(known);
      return bucket.atRevision(id, revision).pipe(
        Effect.catch(({ detail }) =>
          // Without an answer the caller goes on as it would with a history that is too short.
          Effect.logWarning("An earlier revision of a push job cannot be read.", { job: id, revision, detail }).pipe(
            Effect.as(undefined),
          ),
        ),
      );
    },
    absence: (id) => absenceOf(bucket, id),
  });

const absenceOf = (bucket: JobBucket, id: string): Effect.Effect<JobAbsence> =>
  bucket.read(id).pipe(
    Effect.map((entry) => (entry === undefined ? "forgotten" : entry.removed ? "removed" : "stored")),
    Effect.catch(({ detail }) =>
      Effect.logWarning("It cannot be told whether a push job was removed.", { job: id, detail }).pipe(
        Effect.as("unknown" as const),
      ),
    ),
  );

export interface JobStoreState {
  /** Whether this node serves (owners and forwarder) at least this revision. */
  readonly isServed: (revision: number) => boolean;
  /** Fails until there was something to answer from: without it nothing is listed, and nothing is changed. */
  readonly readOnce: Effect.Effect<void, JobStoreError>;
}

export const makeJobStore = (writer: JobWriter, { isServed, readOnce }: JobStoreState): JobStore["Service"] => {
  const awaitServed = Effect.fn("JobStore.awaitServed")(function* (revision: number) {
    yield* Effect.sync(() => isServed(revision)).pipe(
      Effect.tap((isSo) => (isSo ? Effect.void : Effect.sleep(servedPollMillis))),
      Effect.repeat({ until: (isSo) => isSo }),
      Effect.timeoutOrElse({
        duration: servedMillisMax,
        orElse: () =>
          Effect.fail(
            new JobStoreError({
              reason: "notServed",
              message: `Revision ${revision} is stored, but this node does not act on it yet.`,
            }),
          ),
      }),
    );
  });
  return {
    page: (after, limit) => Effect.map(readOnce, () => writer.view.page(after, limit)),
    get: (id) => Effect.map(readOnce, () => writer.view.get(id)),
    count: Effect.map(readOnce, () => writer.view.count()),
    put: (job, expectedRevision, restoreOf) =>
      Effect.andThen(readOnce, putJob(writer, job, expectedRevision, restoreOf)),
    history: (id) =>
      writer.bucket
        .history(id)
        .pipe(Effect.mapError(({ detail }) => new JobStoreError({ reason: "unavailable", message: detail }))),
    remove: Effect.fnUntraced(function* (id, expectedRevision) {
      yield* readOnce;
      const revision = yield* removeJob(writer, id, expectedRevision);
      if (revision === undefined) return false;
      yield* Effect.ignore(awaitServed(revision));
      return true;
    }),
    check: (edits, options) => Effect.andThen(readOnce, checkJobs(writer, edits, options)),
    change: (edits, options) => Effect.andThen(readOnce, changeJobs(writer, edits, options)),
    awaitServed,
  };
};
