import { Context, Effect, Layer, Result } from "effect";
import { join } from "node:path";
import { DrillFaults } from "../actors/ports/drill-faults.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import type { Limits } from "../domain/limits.ts";
import { type ConfigServing, makeConfigServing } from "../serving/config-serving.ts";
import { type LastKnownGood, lastKnownGoodIn } from "../serving/last-known-good.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { type ConfigStore, type ConfigStoreError, openConfigStore } from "../streams/config-store.ts";
import { type JobBucket, openJobBucket } from "../streams/job-bucket.ts";
import { decodeStoredJob } from "../streams/job-codec.ts";
import { type JobFeed, makeJobFeed } from "../streams/job-feed.ts";
import { makeJobServing } from "../streams/job-serving.ts";
import { JobStore, makeJobs, makeJobStore } from "../streams/job-store.ts";
import { JobStoreError } from "../streams/job-store-error.ts";
import { JobTable } from "../streams/job-table.ts";
import { makeJobView } from "../streams/job-view.ts";
import type { Nats, NatsError } from "../streams/nats.ts";
import { StoredJobs } from "../streams/stored-jobs.ts";
import type { TopologyMismatch } from "../streams/topology.ts";
import { adoptInto, type TouchedJob } from "./adopt-snapshot.ts";
import { settleKnownRemovals } from "./known-removals.ts";
import { type ConfigFollower, followConfig } from "./follow-config.ts";

export interface ServedJobsOptions {
  readonly partitions: number;
  readonly replicas: number;
  readonly nodeName: string;
  /** The last known good configuration is kept below it. */
  readonly dataDirectory: string;
  readonly limits: Limits;
}

/** The configuration as this node stores, serves and follows it, for its control process and for reports. */
export class NodeConfiguration extends Context.Service<
  NodeConfiguration,
  {
    readonly bucket: JobBucket;
    readonly store: ConfigStore;
    readonly stored: StoredJobs;
    readonly feed: JobFeed;
    readonly serving: ConfigServing;
    readonly follower: ConfigFollower;
    /** Identity of the job store. */
    readonly cell: () => string;
    /** Whether forwarders and owners act on what was adopted last. */
    readonly isInForce: () => boolean;
    /** In a drill, that this node serves nothing at all instead of what it adopted last. */
    readonly isBlank: () => boolean;
    /** Calls with each job that an adoption changes, before it does. */
    readonly onTouched: (notify: (job: TouchedJob) => void) => void;
    /** Calls when the store has something new. */
    readonly onNews: (notify: () => void) => void;
  }
>()("spillway/node/NodeConfiguration") {}

const nothing = () => {};

/** Whether the bytes of an entry are the job that it says. */
export const isWholeJob = ({ customer, data, dataset, id, state }: SnapshotEntry): boolean => {
  const job = decodeStoredJob(id, data);
  return job?.customer === customer && job.dataset === dataset && job.enabled === (state === "enabled");
};

/** How often what was removed is looked at, whether it is long enough ago. */
const graceMillis = 1_000;

type Failure = NatsError | TopologyMismatch | JobStoreError | ConfigStoreError;

/**
 * Push jobs for those who change them (`JobStore`) and for those who act on them (`Jobs`): the former see the store,
 * the latter the snapshot that is in force on this node.
 */
export const layerServedJobs = (
  options: ServedJobsOptions,
): Layer.Layer<JobStore | Jobs | NodeConfiguration, Failure, Nats> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const bucket = yield* openJobBucket(options.replicas);
      const store = yield* openConfigStore({ ...options.limits, replicas: options.replicas });
      const lastKnownGood = lastKnownGoodIn(join(options.dataDirectory, "configuration"));
      return yield* serveJobs(options, { bucket, store, lastKnownGood });
    }),
  );

/** Where push jobs and snapshots are kept. */
export interface ServedFrom {
  readonly bucket: JobBucket;
  readonly store: ConfigStore;
  readonly lastKnownGood: LastKnownGood;
}

/** What `layerServedJobs` provides, from stores that are open already, for as long as the scope lives. */
export const serveJobs = Effect.fn("node.serveJobs")(function* (
  options: Pick<ServedJobsOptions, "limits" | "nodeName" | "partitions">,
  { bucket, lastKnownGood, store }: ServedFrom,
) {
  const { limits, partitions } = options;
  const drill = yield* DrillFaults;
  const described = yield* Effect.result(bucket.describe);
  // Undefined: not yet heard of it.
  let cell = Result.isSuccess(described) ? described.success.created : undefined;
  const table = new JobTable(partitions);
  const stored = new StoredJobs(table, partitions);
  const adopted = adoptInto(table, stored, {
    ...limits,
    cell: () => cell,
    isGraceOn: () => drill.isGuardOn("removalGrace"),
  });
  const serving = yield* makeConfigServing(lastKnownGood, {
    limits,
    cell: () => cell,
    isGateOn: () => drill.isGuardOn("servingGate"),
    isJob: isWholeJob,
    adopt: adopted.adopt,
  });
  const known = serving.current()?.manifest;
  // What is on this node's disk is served, whoever is away. Without that there is nothing to begin with.
  if (Result.isFailure(described) && known === undefined) return yield* described.failure;
  const cellNow = () => cell ?? known?.cell ?? "";
  let notify = nothing;
  const onNews = (call: () => void) => {
    notify = call;
  };
  const feed = yield* makeJobFeed(bucket, {
    entries: stored,
    // Of another store than the one that it was made from, nothing is known.
    from: known !== undefined && known.cell === cellNow() ? known.position : 0,
    known: Result.isFailure(described) ? known?.cell : undefined,
    jobsMax: limits.jobsMax,
    onReplaced: (created) => {
      cell = created;
      stored.setOtherStore(true);
    },
    onSlice: () => {
      settleKnownRemovals(stored, serving.current());
      notify();
    },
  }).pipe(
    Effect.catchTag("DirectGetFailed", ({ detail }) =>
      Effect.fail(new JobStoreError({ reason: "unavailable", message: `Push jobs cannot be read: ${detail}.` })),
    ),
  );
  adopted.onRewound(feed.rewind);
  const follower = yield* followConfig(store, serving, {
    ...options,
    isCorrupt: () => drill.isArmed("snapshot.corrupt"),
    judged: (isGood) => adopted.serve(isGood || drill.isGuardOn("lastKnownGood") ? "adopted" : "nothing"),
  });
  // What is in force by now is the first that anybody gets to see.
  const jobServing = yield* makeJobServing(adopted.served(), adopted.served);
  adopted.onAdopted(jobServing.changed);
  jobServing.changed();
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(graceMillis), adopted.endGrace)));
  yield* Effect.logInfo("Push jobs are loaded.", {
    jobs: stored.size,
    pending: stored.pending,
    serves: serving.current()?.manifest.number ?? "none",
  });
  const isInForce = () => jobServing.served() === adopted.served().set;
  const isServed = (revision: number) =>
    jobServing.servedPosition() >= revision || (stored.pending === 0 && feed.position() >= revision && isInForce());
  const view = makeJobView({ entries: stored, position: feed.position, nudge: feed.nudge });
  return Context.make(JobStore, makeJobStore({ bucket, view, jobsMax: limits.jobsMax }, isServed)).pipe(
    Context.add(Jobs, makeJobs({ bucket, stored, serving: jobServing })),
    Context.add(
      NodeConfiguration,
      NodeConfiguration.of({
        bucket,
        store,
        stored,
        feed,
        serving,
        follower,
        cell: cellNow,
        isInForce,
        isBlank: adopted.isBlank,
        onTouched: adopted.onTouched,
        onNews,
      }),
    ),
  );
});
