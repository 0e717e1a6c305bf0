import { Effect } from "effect";
import type { Bar, Drill, DrillFault, Exercise, Stage } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import type { Sample } from "../record/sample.ts";
import { goBackTo } from "../world/configuration.ts";
import type { WorldPlan } from "../world/drill-world.ts";
import {
  alertsWithin,
  always,
  briskRetries,
  buffersWithinLimit,
  detectsWithin,
  lagStays,
  nothingLost,
  noStrangers,
  recoversWithin,
} from "./bars.ts";

/** Potential customers for each configured one. */
export const strangersPerCustomer = 40;
const traffic = { recordsPerSecond: 50, recordBytes: 500 };
/** What one machine sends beside the drill's own records: then each stranger sends less than a customer does. */
const strangersPerSecondMax = 20_000;
const backMillisMax = 15_000;

/** Those who send and have no push job, forty for each customer. */
export const sendStrangers = ({ customers, strangers }: Stage) => {
  const count = strangersPerCustomer * customers.length;
  return strangers(count, Math.min(strangersPerSecondMax, count * traffic.recordsPerSecond));
};

/** Made for a hundred times as many jobs, of which a tenth may come at once, and for six times as many buffers. */
const plan = (customers: number): WorldPlan => ({
  limits: {
    ...briskRetries,
    jobsMax: 100 * customers,
    residentBuffersMax: Math.max(12, 6 * customers),
    rolloutWatchMillis: 2_000,
    // Two minutes of what these customers send.
    logBytesMax: Math.max(16_777_216, customers * 838_861),
    retentionSecondsMin: 5,
  },
  partitions: 4,
  nodes: [["control"], ["forwarder"], ["owner"]],
});

/** What the drills that break the generator have in common: their world, its traffic, and who notices. */
export const configDrill = {
  plan,
  embeddedOnly: undefined,
  traffic,
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

/** A rule of the gate that a limit stands behind: what it has refused names it. */
export const refusedBy = (limit: Exercise["limit"], rule: string, seen: string): Exercise => ({
  limit,
  seen,
  isReached: ({ samples }) => {
    const key = `configRefused{rule=${JSON.stringify(rule)}}`;
    const before = new Set(samples[0]?.firing);
    return !before.has(key) && samples.some(({ firing }) => firing.includes(key));
  },
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
export const goBack = ({ world }: Stage) =>
  // What did not come back is seen: the bars are missed.
  goBackTo(world.nodes[0]!.client, world.before, backMillisMax).pipe(Effect.ignore);
