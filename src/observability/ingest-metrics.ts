import { type Context, Metric } from "effect";

/**
 * Metrics of the door. `dataset` is a name of the catalogue or `other`, `reason` and `status` come from our own code:
 * no
 * stranger can add a series.
 */
const recordsTotal = Metric.counter("spillway_ingest_records_total", {
  description: "Records by dataset and what became of them at the door.",
  incremental: true,
});
const refusedTotal = Metric.counter("spillway_ingest_refused_records_total", {
  description: "Records refused at the door, by reason.",
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
  description: "From the headers of a request to its answer, the durable ack included.",
  boundaries: Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 16 }),
});

export const notServedTotal = Metric.counter("spillway_ingest_not_served_records_total", {
  description: "Records that the door took for wanted and the outbox did not: dropped, and counted as unconfigured.",
  incremental: true,
});

/** What became of one body's records. */
export interface IngestedBody {
  readonly accepted: number;
  readonly unconfigured: number;
  readonly refused: number;
  readonly refusedByReason: Readonly<Record<string, number>>;
  /** Inflated. */
  readonly bytes: number;
}

/** Made once per dataset: a request must not build metrics. */
const datasetMetrics = (dataset: string) => ({
  accepted: Metric.withAttributes(recordsTotal, { dataset, outcome: "accepted" }),
  refused: Metric.withAttributes(recordsTotal, { dataset, outcome: "refused" }),
  unconfigured: Metric.withAttributes(recordsTotal, { dataset, outcome: "unconfigured" }),
  bytes: Metric.withAttributes(bytesTotal, { dataset }),
});

/** The door's metrics, updated a few times per request and never per record. */
export class IngestMetrics {
  private readonly context: Context.Context<never>;
  private readonly byDataset = new Map<string, ReturnType<typeof datasetMetrics>>();
  private readonly byStatus = new Map<number, Metric.Counter<number>>();

  constructor(context: Context.Context<never>) {
    this.context = context;
  }

  /** @param dataset a name of the catalogue, or `other` */
  body(dataset: string, { accepted, bytes, refused, refusedByReason, unconfigured }: IngestedBody): void {
    const { context } = this;
    let metrics = this.byDataset.get(dataset);
    if (metrics === undefined) this.byDataset.set(dataset, (metrics = datasetMetrics(dataset)));
    metrics.bytes.updateUnsafe(bytes, context);
    metrics.accepted.updateUnsafe(accepted, context);
    if (unconfigured > 0) metrics.unconfigured.updateUnsafe(unconfigured, context);
    if (refused === 0) return;
    metrics.refused.updateUnsafe(refused, context);
    for (const [reason, records] of Object.entries(refusedByReason)) {
      Metric.withAttributes(refusedTotal, { reason }).updateUnsafe(records, context);
    }
  }

  notServed(records: number): void {
    notServedTotal.updateUnsafe(records, this.context);
  }

  /** @param status one of those of `docs/INGEST.md` */
  request(status: number, millis: number): void {
    let metric = this.byStatus.get(status);
    if (metric === undefined) {
      this.byStatus.set(status, (metric = Metric.withAttributes(requestsTotal, { status: String(status) })));
    }
    metric.updateUnsafe(1, this.context);
    requestSeconds.updateUnsafe(millis / 1_000, this.context);
  }
}
