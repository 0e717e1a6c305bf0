import { Metric } from "effect";

/** Metrics of the configuration. `rule` comes from a closed set. */

const refusedTotal = Metric.counter("spillway_config_refused_total", {
  description: "Snapshots that this node refused to serve, by the rule that refused them.",
  incremental: true,
});
export const configRefused = (rule: string) => Metric.update(Metric.withAttributes(refusedTotal, { rule }), 1);

export const configNumber = Metric.gauge("spillway_config_number", {
  description: "Number of the snapshot that this node serves; 0: it never had one.",
});

export const configUnsaved = Metric.gauge("spillway_config_unsaved", {
  description: "1 while the snapshot that this node serves cannot be kept on its disk: a restart alone would lose it.",
});

export const configPending = Metric.gauge("spillway_config_pending_jobs", {
  description: "Push jobs that are stored otherwise than this node serves them.",
});

const rolloutsTotal = Metric.counter("spillway_config_rollouts_total", {
  description: "Rollouts that ended while this node led, by how they ended.",
  incremental: true,
});
export const rolloutEnded = (result: string) => Metric.update(Metric.withAttributes(rolloutsTotal, { result }), 1);
