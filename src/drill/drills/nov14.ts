import { Effect } from "effect";
import type { ConfigStatus } from "../../domain/config-report.ts";
import type { Drill, Stage } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import { always, briskRetries, detectsWithin, lagStays, nothingLost, recoversWithin } from "./bars.ts";
import { mostOf } from "./evidence.ts";

/** Potential customers for each configured one. */
const factor = 40;
const strangersPerSecond = 1_000;

/**
 * The 14th of November 2024, step by step: a new dataset makes the generator emit an empty configuration; it is
 * reverted; the revert makes everybody a customer, forty times as many as there are buffers for.
 */
export const nov14: Drill = {
  name: "nov14",
  summary: "The incident of 14 November 2024: an empty configuration, then everybody's logs, 40 times the buffers",
  phases: [
    {
      name: "baseline",
      kind: "baseline",
      seconds: 9,
      about: "every customer sends the same, and 40 times as many strangers",
    },
    { name: "empty", kind: "fault", seconds: 8, about: "the generator emits an empty configuration" },
    { name: "everything", kind: "fault", seconds: 9, about: "it is reverted, and now everybody is a customer" },
    { name: "recovery", kind: "recovery", seconds: 9, about: "the generator is mended" },
  ],
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
  enter: (phase, stage) => {
    const { arm, customers, disarm, strangers } = stage;
    switch (phase.name) {
      case "baseline":
        return strangers(factor * customers.length, strangersPerSecond);
      case "empty":
        return arm("generator.empty");
      case "everything":
        return Effect.andThen(disarm, arm("generator.everything"));
      default:
        return Effect.andThen(disarm, goBack(stage));
    }
  },
  noticed: ({ metrics }) =>
    metricSum(metrics, "spillway_config_rollouts_total", 'result="refused"') > 0
      ? "the gate has refused a configuration"
      : metricSum(metrics, "spillway_config_refused_total") > 0
        ? "a node has refused a configuration"
        : undefined,
  guards: [
    {
      name: "controlGate",
      stops: "an empty configuration, and one with 40 times as many jobs, before any node hears of it",
    },
    { name: "rollout", stops: "what passed the gate from reaching everybody at once" },
    { name: "servingGate", stops: "an empty configuration on each node" },
    { name: "removalGrace", stops: "records from being dropped while a job is missing" },
    { name: "admission", stops: "the wave of new customers from taking the node" },
    { name: "bufferLimit", stops: "buffers beyond what memory is made for" },
  ],
  exercises: [
    {
      limit: "removedPercentMax",
      seen: "a configuration that would stop everybody, refused",
      isReached: ({ samples }) => mostOf(samples, "spillway_config_rollouts_total", 'result="refused"') > 0,
    },
    {
      limit: "addedPercentMax",
      seen: "a configuration with 40 times as many jobs, refused",
      isReached: ({ samples }) => mostOf(samples, "spillway_config_rollouts_total", 'result="refused"') > 1,
    },
  ],
  bars: [
    ...always,
    nothingLost,
    lagStays,
    recoversWithin(10),
    detectsWithin(5),
    {
      figure: "buffersOverLimit",
      relation: "atMost",
      bound: 0,
      about: "there are never more buffers than there may be",
    },
  ],
};

/** What operators did: bring the last good configuration back. With the guards on it was never gone. */
const goBack = ({ customers, world }: Stage) =>
  Effect.gen(function* () {
    const { client } = world.nodes[0]!;
    const status = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).json as ConfigStatus;
    if (status.frozen !== null) yield* client.ask({ method: "POST", path: "/v1/config/unfreeze", json: {} });
    if (status.inForce === null || status.inForce.jobs <= customers.length) return;
    // The first configuration of this world had the drill's customers in it and nobody else.
    yield* client.ask({ method: "POST", path: "/v1/config/rollback", json: { to: 1 } });
  }).pipe(Effect.ignore);
