import { Metric } from "effect";
import type { DestinationKind } from "../domain/destination.ts";
import type { PushOutcome } from "../domain/push-outcome.ts";

/** Metrics of pushes and partitions. Labels come from closed sets; a customer or a job is never one of them. */

const pushesTotal = Metric.counter("spillway_pushes_total", {
  description: "Pushes by destination kind, outcome and reason.",
  incremental: true,
});
const recordsDeliveredTotal = Metric.counter("spillway_records_delivered_total", {
  description: "Records acknowledged by a destination.",
  incremental: true,
});
const pushBytesTotal = Metric.counter("spillway_push_bytes_total", {
  description: "Compressed bytes of delivered batches.",
  incremental: true,
});
const pushSeconds = Metric.histogram("spillway_push_duration_seconds", {
  description: "Time from the start of a push to its outcome.",
  boundaries: Metric.exponentialBoundaries({ start: 0.005, factor: 2, count: 14 }),
});

const memo = <K extends string, V>(make: (key: K) => V): ((key: K) => V) => {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) made.set(key, (value = make(key)));
    return value;
  };
};

export const pushesOf = (kind: DestinationKind, outcome: PushOutcome) =>
  pushesLabelled(`${kind}/${outcome._tag}/${outcome._tag === "Delivered" ? "none" : outcome.reason}`);

const pushesLabelled = memo((labels: string) => {
  const [destination = "", outcome = "", reason = ""] = labels.split("/");
  return Metric.withAttributes(pushesTotal, { destination, outcome, reason });
});
export const recordsDeliveredTo = memo((destination: DestinationKind) =>
  Metric.withAttributes(recordsDeliveredTotal, { destination }),
);
export const pushBytesTo = memo((destination: DestinationKind) =>
  Metric.withAttributes(pushBytesTotal, { destination }),
);
export const pushSecondsTo = memo((destination: DestinationKind) =>
  Metric.withAttributes(pushSeconds, { destination }),
);

export const buffersSuspendedTotal = Metric.counter("spillway_buffers_suspended_total", {
  description: "Times that a buffer was suspended: its destination refused the job.",
  incremental: true,
});
export const buffersQuarantinedTotal = Metric.counter("spillway_buffers_quarantined_total", {
  description: "Times that a buffer was quarantined after crashing too often.",
  incremental: true,
});

export const messagesReadTotal = Metric.counter("spillway_log_messages_read_total", {
  description: "Log messages read by owners, sweeps not counted.",
  incremental: true,
});
export const duplicatesSkippedTotal = Metric.counter("spillway_log_duplicates_skipped_total", {
  description: "Log messages that repeat an earlier one and were skipped.",
  incremental: true,
});
export const recordsMissingTotal = Metric.counter("spillway_log_records_missing_total", {
  description: "Records that a forwarder wrote and that are not in the log: loss that the running numbers show.",
  incremental: true,
});
export const checkpointsTotal = Metric.counter("spillway_checkpoints_total", {
  description: "Checkpoints written.",
  incremental: true,
});
export const checkpointRowsTotal = Metric.counter("spillway_checkpoint_rows_total", {
  description: "Rows written by checkpoints.",
  incremental: true,
});
export const checkpointFailuresTotal = Metric.counter("spillway_checkpoint_failures_total", {
  description: "Checkpoints that did not land; they are repeated.",
  incremental: true,
});
export const partitionsFencedTotal = Metric.counter("spillway_partitions_fenced_total", {
  description: "Partitions given up because a later epoch holds the register.",
  incremental: true,
});
export const bufferCrashesTotal = Metric.counter("spillway_buffer_crashes_total", {
  description: "Buffers restarted after a defect.",
  incremental: true,
});
