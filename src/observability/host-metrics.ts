import { Metric } from "effect";

/** Metrics of what pushes share. A host is never a label: ask `GET /v1/hosts`, or its like, for those. */

const places = Metric.gauge("spillway_push_places", {
  description: "Pushes in flight: fast, or slow, when they have had no answer for pushSlowMillis.",
});
export const placesOf = {
  fast: Metric.withAttributes(places, { pool: "fast" }),
  slow: Metric.withAttributes(places, { pool: "slow" }),
} as const;

export const pushesWaiting = Metric.gauge("spillway_pushes_waiting", {
  description: "Pushes that wait for a place.",
});

const hosts = Metric.gauge("spillway_destination_hosts", {
  description: "Destination hosts pushed to lately, by the state of their circuit.",
});
export const hostsOf = {
  closed: Metric.withAttributes(hosts, { circuit: "closed" }),
  open: Metric.withAttributes(hosts, { circuit: "open" }),
  halfOpen: Metric.withAttributes(hosts, { circuit: "halfOpen" }),
} as const;

export const pushFairness = Metric.gauge("spillway_push_fairness_index", {
  description: "Jain's index of what competing jobs of one host got in the last window; the lowest of all hosts.",
});
