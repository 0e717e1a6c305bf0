import { Schema } from "effect";
import { Destination } from "./destination.ts";
import { CustomerId, DatasetName, PushJobId } from "./ids.ts";

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }));

/** Where a batch ends, at the latest. Uncompressed bytes; the maxima bound what a window may hold in memory. */
export const BatchSettings = Schema.Struct({
  maxBytes: between(1_000_000, 100_000_000),
  maxRecords: between(1_000, 1_000_000),
  maxIntervalSeconds: between(1, 300),
});

export const batchDefaults: typeof BatchSettings.Type = {
  maxBytes: 5_000_000,
  maxRecords: 100_000,
  maxIntervalSeconds: 30,
};

/** A standing order: this customer's dataset, to that destination. Fields without a default are required. */
export const PushJob = Schema.Struct({
  id: PushJobId,
  customer: CustomerId,
  dataset: DatasetName,
  enabled: Schema.Boolean,
  destination: Destination,
  batch: BatchSettings,
});
export type PushJob = typeof PushJob.Type;

/** A push job as the store holds it. */
export interface StoredJob {
  readonly job: PushJob;
  /** The store's revision of this job: rises with every change, names one content for ever. */
  readonly revision: number;
}

/** What a write did to the stored job. `unchanged`: it was identical, so it was left alone and kept its revision. */
export const JobChange = Schema.Literals(["created", "updated", "unchanged"]);
export type JobChange = typeof JobChange.Type;
