import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import { always, briskRetries, detectsWithin, lagStays, nothingLost, recoversWithin } from "./bars.ts";
import { mostOf, valueOf, wasUsed } from "./evidence.ts";

const slowMillis = 30_000;

/** The destinations of half of the customers answer after 30 s, or 500. */
export const slowDestinations: Drill = {
  name: "slow-destinations",
  summary: "Half of the destinations answer after 30 s or with 500: the other half must not notice",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 6, about: "every destination answers at once" },
    { name: "slow", kind: "fault", seconds: 12, about: "a quarter answers after 30 s, a quarter with 500" },
    { name: "recovery", kind: "recovery", seconds: 8, about: "every destination answers at once again" },
  ],
  plan: () => ({
    limits: { ...briskRetries, slowPushesInFlightMax: 3, bufferWindowBytesMax: 131_072 },
    partitions: 4,
    nodes: [["forwarder", "owner", "control"]],
  }),
  embeddedOnly: undefined,
  traffic: { recordsPerSecond: 50, recordBytes: 500 },
  faulted: (customers) => customers.filter((_, index) => index % 2 === 1),
  enter: (phase, { behave, faulted }) => {
    const slow = faulted.filter((_, index) => index % 2 === 0);
    const failing = faulted.filter((_, index) => index % 2 === 1);
    if (phase.kind === "fault") {
      return Effect.andThen(
        behave(slow, { kind: "slow", millis: slowMillis }),
        behave(failing, { kind: "failing", status: 500 }),
      );
    }
    return phase.kind === "recovery" ? behave(faulted, { kind: "well" }) : Effect.void;
  },
  noticed: ({ metrics }, baseline) => {
    const rises = (name: string, labels: string) =>
      metricSum(metrics, name, labels) > metricSum(baseline?.metrics ?? new Map(), name, labels);
    if (rises("spillway_destination_hosts", 'circuit="open"')) return "circuits of hosts are open";
    return rises("spillway_push_places", 'pool="slow"') ? "pushes count as slow" : undefined;
  },
  guards: [],
  exercises: [
    {
      limit: "slowPushesInFlightMax",
      seen: "as many slow pushes in flight as may be",
      isReached: (evidence) =>
        mostOf(evidence.samples, "spillway_push_places", 'pool="slow"') >= valueOf(evidence, "slowPushesInFlightMax"),
    },
    {
      limit: "circuitFailuresMax",
      seen: "a host's circuit is open",
      isReached: ({ samples }) => mostOf(samples, "spillway_destination_hosts", 'circuit="open"') > 0,
    },
    {
      limit: "bufferWindowBytesMax",
      seen: "a window as large as it may be",
      isReached: (evidence) => wasUsed(evidence, "bufferWindowBytesMax", 90),
    },
  ],
  bars: [nothingLost, ...always, lagStays, recoversWithin(15), detectsWithin(5)],
};
