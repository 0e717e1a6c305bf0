import { Metric } from "effect";

/** Metrics of sweeps, of the window budget, and of what ends undelivered. Labels come from closed sets. */

export const sweepFairness = Metric.gauge("spillway_sweep_fairness_ratio", {
  description: "Jain's index of the bytes that lagging buffers were fed, by weight: 1 is fair.",
});
const sweepBytesTotal = Metric.counter("spillway_sweep_bytes_total", {
  description: "Bytes that sweeps have read, by lane.",
  incremental: true,
});
export const sweepBytesOf = {
  near: Metric.withAttributes(sweepBytesTotal, { lane: "near" }),
  far: Metric.withAttributes(sweepBytesTotal, { lane: "far" }),
};
export const windowsGivenUp = Metric.gauge("spillway_windows_given_up", {
  description: "Windows given up for the memory budget since the start.",
});
const recordsWrittenOffTotal = Metric.counter("spillway_records_written_off_total", {
  description: "Records that ended undelivered, each with a receipt, by reason.",
  incremental: true,
});
export const recordsWrittenOff = (reason: string) => Metric.withAttributes(recordsWrittenOffTotal, { reason });
export const logPurgedTotal = Metric.counter("spillway_log_messages_purged_total", {
  description: "Settled log messages whose space was freed.",
  incremental: true,
});
