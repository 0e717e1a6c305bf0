import { Metric } from "effect";

/** Metrics of admission and of backlogs over their quota. Labels come from closed sets. */

export const admissionStateGauge = Metric.gauge("spillway_admission_state", {
  description: "0 open, 1 guarded, 2 surging, 3 closed.",
});
const transitionsTotal = Metric.counter("spillway_admission_transitions_total", {
  description: "Changes of the admission state, by the state that was come to.",
  incremental: true,
});
/** @param state one of the four */
export const admissionTransitionsTo = (state: string) => Metric.withAttributes(transitionsTotal, { state });

export const customersOverQuota = Metric.gauge("spillway_customers_over_quota", {
  description: "Customers with a buffer whose backlog is over its quota, in the partitions that this node owns.",
});
