import { Effect } from "effect";
import type { ConfigStatus } from "../../domain/config-report.ts";
import type { Bar, Drill, DrillFault, Stage } from "../drill.ts";
import type { Sample } from "../record/sample.ts";
import { metricSum } from "../record/metrics-text.ts";
import {
  alertsWithin,
  always,
  briskRetries,
  buffersWithinLimit,
  detectsWithin,
  lagStays,
  noStrangers,
  nothingLost,
  recoversWithin,
} from "./bars.ts";

/** Potential customers for each configured one. */
const factor = 40;
const strangersPerSecond = 1_000;

/** Those who send and have no push job, forty for each customer. */
export const sendStrangers = ({ customers, strangers }: Stage) =>
  strangers(factor * customers.length, strangersPerSecond);

/** What the drills that break the generator have in common: their world, its traffic, and who notices. */
export const configDrill = {
  plan: {
    limits: {
      ...briskRetries,
      // Made for a hundred jobs more than a drill has by default, and as many buffers.
      jobsMax: 2_000,
      residentBuffersMax: 120,
      rolloutWatchMillis: 2_000,
    },
    partitions: 4,
    nodes: [["forwarder", "owner", "control"]],
  },
  embeddedOnly: "its fault changes the configuration of every node",
  traffic: { recordsPerSecond: 50, recordBytes: 500 },
  faulted: () => [],
  noticed: (sample, baseline) => refusedSince(sample, baseline) ?? keptOutSince(sample, baseline),
} satisfies Partial<Drill>;

/** With every guard on, what is broken shows nowhere but in what the system says of it. */
export const configBars = (recoverSeconds: number): ReadonlyArray<Bar> => [
  ...always,
  nothingLost,
  lagStays,
  recoversWithin(recoverSeconds),
  detectsWithin(5),
  alertsWithin(5),
  buffersWithinLimit,
  noStrangers,
];

/** The generator emits what nobody ordered. A rollout that was taken back is as good a sign as one that was refused. */
export const generatorFault = (name: string, phase: string): DrillFault => ({
  name,
  phase,
  alerts: ["configRefused", "rolloutRolledBack"],
  noticed: refusedSince,
});

/** Forwarders let everybody in. */
export const openDoorFault = (phase: string): DrillFault => ({
  name: "forwarder.failsOpen",
  phase,
  // Where nothing keeps them out, owners find them.
  alerts: ["unwantedRecords", "recordsLost"],
  noticed: keptOutSince,
});

const rises = (sample: Sample, baseline: Sample | undefined, metric: string, labels = ""): boolean =>
  metricSum(sample.metrics, metric, labels) >
  (baseline === undefined ? 0 : metricSum(baseline.metrics, metric, labels));

const refusedSince = (sample: Sample, baseline: Sample | undefined): string | undefined =>
  rises(sample, baseline, "spillway_config_rollouts_total", 'result="refused"')
    ? "the gate has refused a configuration"
    : rises(sample, baseline, "spillway_config_refused_total")
      ? "a node has refused a configuration"
      : undefined;

const keptOutSince = (sample: Sample, baseline: Sample | undefined): string | undefined =>
  rises(sample, baseline, "spillway_ingest_not_served_records_total")
    ? "the way into the log has refused what the door let in"
    : undefined;

/** What operators did: bring the last good configuration back. With the guards on it was never gone. */
export const goBack = ({ customers, world }: Stage) =>
  Effect.gen(function* () {
    const { client } = world.nodes[0]!;
    const status = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).json as ConfigStatus;
    if (status.frozen !== null) yield* client.ask({ method: "POST", path: "/v1/config/unfreeze", json: {} });
    if (status.inForce === null || (status.inForce.jobs ?? 0) <= customers.length) return;
    // The first configuration of this world had the drill's customers in it and nobody else.
    yield* client.ask({ method: "POST", path: "/v1/config/rollback", json: { to: 1 } });
  }).pipe(Effect.ignore);
