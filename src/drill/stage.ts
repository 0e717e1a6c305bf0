import { Effect } from "effect";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stage } from "./drill.ts";
import { drillFailure } from "./drill-failure.ts";
import { drillDataset, strangerName } from "./traffic/drill-record.ts";
import { movedPath } from "./traffic/messages.ts";
import type { DrillProducers, DrillSink } from "./traffic/traffic.ts";
import { bringIntoForce } from "./world/configuration.ts";
import { armFault, disarmFaults, type DrillJob, type DrillWorld, putJob, putJobs } from "./world/drill-world.ts";

/** Everybody who takes part in a drill. */
export interface Cast {
  /** A few hex digits of this run's own. */
  readonly run: string;
  readonly world: DrillWorld;
  readonly sink: DrillSink;
  readonly producers: DrillProducers;
  readonly customers: ReadonlyArray<string>;
  readonly jobs: ReadonlyArray<DrillJob>;
}

const batchSeconds = 1;
/** A rollout in steps, each of them watched. */
const orderedMillisMax = 60_000;

/** Faults and guards come back by themselves, should the drill die. */
export const sureSeconds = 600;

/** @param origin of the destination */
export const jobOf = (customer: string, origin: string): DrillJob => ({
  id: `${customer}-job`,
  customer,
  dataset: drillDataset,
  destination: { kind: "http", url: `${origin}/${customer}` },
  batch: { maxIntervalSeconds: batchSeconds },
});

export const stageOf = (cast: Cast, faulted: ReadonlyArray<string>): Stage => {
  const { customers, producers, sink, world } = cast;
  const { client } = world.nodes[0]!;
  const ordered: Array<DrillJob> = [];
  return {
    world,
    customers,
    faulted,
    behave: sink.behave,
    rate: producers.rate,
    strangers: producers.strangers,
    orderForStrangers: (count) =>
      Effect.suspend(() => {
        for (let at = ordered.length; at < count; at++) {
          ordered.push(jobOf(strangerName(cast.run, at), sink.origins[at % sink.origins.length]!));
        }
        return Effect.andThen(putJobs(client, ordered), bringIntoForce(client, orderedMillisMax));
      }).pipe(Effect.asVoid),
    withdrawFromStrangers: Effect.suspend(() =>
      Effect.andThen(putJobs(client, [], ordered.splice(0)), bringIntoForce(client, orderedMillisMax)),
    ).pipe(Effect.asVoid),
    removeJobs: (removed) => putJobs(client, [], jobsOf(cast, removed)),
    restoreJobs: (restored) =>
      Effect.andThen(putJobs(client, jobsOf(cast, restored)), bringIntoForce(client, orderedMillisMax)).pipe(
        Effect.asVoid,
      ),
    newDataset: (isThere) => newDataset(world, isThere),
    moveJob: (customer) => moveJob(cast, customer),
    arm: (fault) => armFault(world, fault, sureSeconds),
    disarm: disarmFaults(world),
  };
};

const jobsOf = ({ jobs }: Cast, customers: ReadonlyArray<string>) => {
  const named = new Set(customers);
  return jobs.filter(({ customer }) => named.has(customer));
};

const datasetName = "drill_added";

/** What began the incident: one more dataset, with nothing wrong in it. */
const newDataset = Effect.fnUntraced(function* ({ datasets }: DrillWorld, isThere: boolean) {
  if (datasets === undefined) return false;
  const file = join(datasets, `${datasetName}.json`);
  const content = {
    name: datasetName,
    description: "One more dataset, added in a drill.",
    customerField: "Customer",
    fields: { Customer: { type: "string", description: "Whose record it is." } },
  };
  yield* Effect.tryPromise({
    try: () => (isThere ? writeFile(file, JSON.stringify(content)) : rm(file, { force: true })),
    catch: (error) => drillFailure(`The new dataset could not be written: ${String(error)}`),
  });
  return true;
});

/** Written where records go: whoever leads the configuration may be what the drill holds up. */
const moveJob = Effect.fnUntraced(function* ({ jobs, world }: Cast, customer: string) {
  const job = jobs.find((each) => each.customer === customer);
  const node = world.nodes.find(({ dataUrl }) => dataUrl !== undefined);
  if (job === undefined || node === undefined) return;
  const destination = { ...job.destination, url: `${job.destination.url}/${movedPath}` };
  yield* putJob(node.client, { ...job, destination });
});
