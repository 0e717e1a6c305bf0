import { Context, Effect, Layer } from "effect";
import { type JobAbsence, Jobs } from "../actors/ports/jobs.ts";
import type { IdPage } from "../domain/id-page.ts";
import type { PushJob, StoredJob } from "../domain/push-job.ts";
import { type JobBucket, openJobBucket } from "./job-bucket.ts";
import { type JobFeed, makeJobFeed } from "./job-feed.ts";
import { type JobServing, makeJobServing } from "./job-serving.ts";
import { type JobConflict, JobStoreError } from "./job-store-error.ts";
import { makeJobView } from "./job-view.ts";
import { type JobWriter, putJob, removeJob, type WrittenJob } from "./job-writes.ts";
import type { Nats, NatsError } from "./nats.ts";
import type { TopologyMismatch } from "./topology.ts";

export interface JobStoreOptions {
  readonly partitions: number;
  readonly replicas: number;
  readonly jobsMax: number;
}

const servedMillisMax = 2_000;

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
    readonly put: (job: PushJob, expectedRevision?: number) => Effect.Effect<WrittenJob, JobStoreError | JobConflict>;
    /** Whether it existed. Completes when this node acts on it, at the latest after 2 s. */
    readonly remove: (id: string, expectedRevision?: number) => Effect.Effect<boolean, JobStoreError | JobConflict>;
    /** Completes when this node serves (owners and forwarder) at least this revision; fails after 2 s. */
    readonly awaitServed: (revision: number) => Effect.Effect<void, JobStoreError>;
  }
>()("spillway/streams/JobStore") {}

/** The KV bucket `jobs`, for those who change jobs (`JobStore`) and for those who act on them (`Jobs`). */
export const layerJobs = (
  options: JobStoreOptions,
): Layer.Layer<JobStore | Jobs, NatsError | TopologyMismatch | JobStoreError, Nats> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const bucket = yield* openJobBucket(options.replicas);
      let notify: (() => void) | undefined;
      const feed = yield* makeJobFeed(bucket, {
        partitions: options.partitions,
        jobsMax: options.jobsMax,
        onSlice: () => notify?.(),
      }).pipe(
        Effect.catchTag("DirectGetFailed", ({ detail }) =>
          Effect.fail(new JobStoreError({ reason: "unavailable", message: `Push jobs cannot be read: ${detail}.` })),
        ),
      );
      const serving = yield* startServing(feed);
      notify = serving.changed;
      // What the feed read between the first set and the line above.
      serving.changed();
      yield* Effect.logInfo("Push jobs are loaded.", { jobs: feed.entries.size, number: serving.served().number });

      const jobs = Jobs.of({
        served: serving.served,
        onChange: serving.onChange,
        atRevision: (id, revision) => {
          const stored = feed.entries.get(id);
          if (stored?.revision === revision) return Effect.succeed(stored);
          return bucket.atRevision(id, revision).pipe(
            Effect.catch(({ detail }) =>
              // Without an answer the caller goes on as it would with a history that is too short.
              Effect.logWarning("An earlier revision of a push job cannot be read.", {
                job: id,
                revision,
                detail,
              }).pipe(Effect.as(undefined)),
            ),
          );
        },
        absence: (id) => absenceOf(bucket, id),
      });
      const store = makeStore({ bucket, view: makeJobView(feed), jobsMax: options.jobsMax }, serving);
      return Context.make(JobStore, store).pipe(Context.add(Jobs, jobs));
    }),
  );

const absenceOf = (bucket: JobBucket, id: string): Effect.Effect<JobAbsence> =>
  bucket.read(id).pipe(
    Effect.map((entry) => (entry === undefined ? "forgotten" : entry.removed ? "removed" : "stored")),
    Effect.catch(({ detail }) =>
      Effect.logWarning("It cannot be told whether a push job was removed.", { job: id, detail }).pipe(
        Effect.as("unknown" as const),
      ),
    ),
  );

const startServing = (feed: JobFeed) => {
  let number = 0;
  const next = () => {
    const position = feed.position();
    // A store that was replaced counts from 1 again; the number of a set never falls.
    number = Math.max(number + (feed.entries.hasChanged() ? 1 : 0), position);
    return { set: feed.entries.set(number), position };
  };
  return makeJobServing(next(), next);
};

const makeStore = (writer: JobWriter, serving: JobServing): JobStore["Service"] => {
  const awaitServed = Effect.fn("JobStore.awaitServed")(function* (revision: number) {
    yield* serving.awaitPosition(revision).pipe(
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
    page: (after, limit) => Effect.sync(() => writer.view.page(after, limit)),
    get: (id) => Effect.sync(() => writer.view.get(id)),
    count: Effect.sync(() => writer.view.count()),
    put: (job, expectedRevision) => putJob(writer, job, expectedRevision),
    remove: Effect.fnUntraced(function* (id, expectedRevision) {
      const revision = yield* removeJob(writer, id, expectedRevision);
      if (revision === undefined) return false;
      yield* Effect.ignore(awaitServed(revision));
      return true;
    }),
    awaitServed,
  };
};
