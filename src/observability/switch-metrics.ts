import { Metric } from "effect";

const killSwitches = Metric.gauge("spillway_kill_switches", {
  description: "Kill switches that are on, by what they stop: each is an alert for as long as it is.",
});

export const killSwitchesOf = {
  destination: Metric.withAttributes(killSwitches, { kind: "destination" }),
  customer: Metric.withAttributes(killSwitches, { kind: "customer" }),
  dataset: Metric.withAttributes(killSwitches, { kind: "dataset" }),
  everything: Metric.withAttributes(killSwitches, { kind: "everything" }),
} as const;
