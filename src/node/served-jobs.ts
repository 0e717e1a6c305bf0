import { Context, Effect, Layer } from "effect";
import { join } from "node:path";
import { DrillFaults } from "../actors/ports/drill-faults.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import type { Limits } from "../domain/limits.ts";
import { type ConfigServing, makeConfigServing } from "../serving/config-serving.ts";
import { type LastKnownGood, lastKnownGoodIn } from "../serving/last-known-good.ts";
import { type Untold, type UntoldGraces, untoldGracesIn } from "../serving/untold-grace.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { bindConfigStore, type ConfigStore, createConfigStream } from "../streams/config-store.ts";
import { bindJobBucket, createJobBucket, type JobBucket } from "../streams/job-bucket.ts";
import { decodeStoredJob } from "../streams/job-codec.ts";
import { type JobFeed, makeJobFeed } from "../streams/job-feed.ts";
import { makeJobServing } from "../streams/job-serving.ts";
import { JobStore, makeJobs, makeJobStore } from "../streams/job-store.ts";
import { JobStoreError } from "../streams/job-store-error.ts";
import { JobTable } from "../streams/job-table.ts";
import { makeJobView } from "../streams/job-view.ts";
import type { Nats } from "../streams/nats.ts";
import { keepOpening, type StoreOpening } from "../streams/store-opening.ts";
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
    /** How far the opening of its stores has come. */
    readonly openings: ReadonlyArray<StoreOpening>;
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

/**
 * So long a start waits for the stores: with a last known good it goes on without them, and without one it has nothing
 * to do but to say so.
 */
const openMillisMax = { served: 3_000, nothingServed: 15_000 };

/**
 * Push jobs for those who change them (`JobStore`) and for those who act on them (`Jobs`): the former see the store,
 * the latter the snapshot that is in force on this node.
 */
export const layerServedJobs = (
  options: ServedJobsOptions,
): Layer.Layer<JobStore | Jobs | NodeConfiguration, TopologyMismatch, Nats> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { limits, replicas } = options;
      const jobs = yield* keepOpening("jobs", createJobBucket(replicas));
      const configurations = yield* keepOpening("configurations", createConfigStream({ ...limits, replicas }));
      return yield* serveJobs(options, {
        bucket: yield* bindJobBucket(jobs.opened),
        store: yield* bindConfigStore,
        lastKnownGood: lastKnownGoodIn(join(options.dataDirectory, "configuration")),
        untoldGraces: untoldGracesIn(join(options.dataDirectory, "configuration")),
        openings: [jobs, configurations],
      });
    }),
  );

/** Where push jobs and snapshots are kept. */
export interface ServedFrom {
  readonly bucket: JobBucket;
  readonly store: ConfigStore;
  readonly lastKnownGood: LastKnownGood;
  readonly untoldGraces?: UntoldGraces;
  readonly openings: ReadonlyArray<StoreOpening>;
}

/**
 * Graces are on disk before the snapshot that begins them: a node that dies in between finds the job in the one before.
 */
const keptWith = (
  untoldGraces: UntoldGraces,
  untold: Effect.Effect<ReadonlyArray<Untold>>,
  lastKnownGood: LastKnownGood,
): LastKnownGood => ({
  ...lastKnownGood,
  save: (snapshot, encoded) =>
    Effect.flatMap(untold, untoldGraces.save).pipe(
      Effect.catch(({ message, path }) =>
        Effect.logError("Removal graces cannot be kept on this node's disk.", { path, message }),
      ),
      Effect.andThen(lastKnownGood.save(snapshot, encoded)),
    ),
});

/** What `layerServedJobs` provides, for as long as the scope lives. What is on this node's disk comes first. */
export const serveJobs = Effect.fn("node.serveJobs")(function* (
  options: Pick<ServedJobsOptions, "limits" | "nodeName" | "partitions">,
  { bucket, lastKnownGood, openings, store, untoldGraces }: ServedFrom,
) {
  const { limits, partitions } = options;
  const drill = yield* DrillFaults;
  // Undefined: not yet heard of it.
  let cell: string | undefined;
  const table = new JobTable(partitions);
  const stored = new StoredJobs(table, partitions);
  const adopted = adoptInto(table, stored, {
    ...limits,
    cell: () => cell,
    isGraceOn: () => drill.isGuardOn("removalGrace"),
  });
  const kept = untoldGraces === undefined ? lastKnownGood : keptWith(untoldGraces, adopted.untold, lastKnownGood);
  const serving = yield* makeConfigServing(kept, {
    limits,
    cell: () => cell,
    isGateOn: () => drill.isGuardOn("servingGate"),
    isJob: isWholeJob,
    servedPair: stored.servedPair,
    adopt: adopted.adopt,
  });
  const known = serving.current()?.manifest;
  if (known !== undefined && untoldGraces !== undefined) yield* adopted.resume(yield* untoldGraces.load);
  const millisMax = known === undefined ? openMillisMax.nothingServed : openMillisMax.served;
  yield* Effect.forEach(openings, ({ awaitOpen }) => awaitOpen(millisMax), { concurrency: "unbounded", discard: true });
  const cellNow = () => cell ?? known?.cell ?? "";
  let notify = nothing;
  const onNews = (call: () => void) => {
    notify = call;
  };
  const feed = yield* makeJobFeed(bucket, {
    entries: stored,
    from: known?.position ?? 0,
    known: known?.cell,
    jobsMax: limits.jobsMax,
    onFound: (created, isReplaced) => {
      cell = created;
      if (isReplaced) stored.setOtherStore(true);
    },
    onSlice: () => {
      settleKnownRemovals(stored, serving.current());
      notify();
    },
  });
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
  const readOnce = Effect.suspend(() => (feed.isKnown() ? Effect.void : Effect.fail(notRead(openings))));
  const jobStore = makeJobStore({ bucket, view, jobsMax: limits.jobsMax }, { isServed, readOnce });
  return Context.make(JobStore, jobStore).pipe(
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
        openings,
        cell: cellNow,
        isInForce,
        isBlank: adopted.isBlank,
        onTouched: adopted.onTouched,
        onNews,
      }),
    ),
  );
});

/** An empty list would say that there are none. */
const notRead = (openings: ReadonlyArray<StoreOpening>) => {
  const detail = openings.find(({ name }) => name === "jobs")?.problem() ?? "they are being read";
  return new JobStoreError({ reason: "unavailable", message: `Push jobs could not be read yet: ${detail}.` });
};
