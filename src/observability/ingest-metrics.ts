import { Metric } from "effect";

/** Metrics of the door. `dataset` is a name of the catalogue or `other`, so that strangers add no series. */

const recordsTotal = Metric.counter("spillway_ingest_records_total", {
  description: "Records by dataset and what became of them at the door.",
  incremental: true,
});
const bytesTotal = Metric.counter("spillway_ingest_bytes_total", {
  description: "Inflated bytes of request bodies.",
  incremental: true,
});
const requestsTotal = Metric.counter("spillway_ingest_requests_total", {
  description: "Ingest requests by status.",
  incremental: true,
});
const requestSeconds = Metric.histogram("spillway_ingest_request_duration_seconds", {
  description: "From the first byte of a request to its answer, the durable ack included.",
  boundaries: Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 16 }),
});

export type DoorOutcome = "accepted" | "refused" | "unconfigured";

export const ingestRecords = (dataset: string, outcome: DoorOutcome) =>
  Metric.withAttributes(recordsTotal, { dataset, outcome });
export const ingestBytes = (dataset: string) => Metric.withAttributes(bytesTotal, { dataset });
export const ingestRequests = (status: number) => Metric.withAttributes(requestsTotal, { status: String(status) });
export const ingestSeconds = requestSeconds;
