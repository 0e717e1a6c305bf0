import { Schema } from "effect";
import { Destination } from "./destination.ts";
import { CustomerId, DatasetName, PushJobId } from "./ids.ts";

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }));

/** Least and most of each. */
export const batchBounds = {
  maxBytes: { minimum: 1_000_000, maximum: 100_000_000 },
  maxRecords: { minimum: 1_000, maximum: 1_000_000 },
  maxIntervalSeconds: { minimum: 1, maximum: 300 },
} as const;

/** Where a batch ends, at the latest. Uncompressed bytes; the maxima bound what a window may hold in memory. */
export const BatchSettings = Schema.Struct({
  maxBytes: Schema.Int.check(Schema.isBetween(batchBounds.maxBytes)),
  maxRecords: Schema.Int.check(Schema.isBetween(batchBounds.maxRecords)),
  maxIntervalSeconds: Schema.Int.check(Schema.isBetween(batchBounds.maxIntervalSeconds)),
});

export const batchDefaults: typeof BatchSettings.Type = {
  maxBytes: 5_000_000,
  maxRecords: 100_000,
  maxIntervalSeconds: 30,
};

/**
 * What happens when a job's backlog is over its customer's quota: its customer's records of this dataset are refused at
 * the door, or the oldest of the backlog is given up, with receipts.
 */
export const OverloadPolicy = Schema.Literals(["refuse", "shedOldest"]);
export type OverloadPolicy = typeof OverloadPolicy.Type;

/** A standing order: this customer's dataset, to that destination. Fields without a default are required. */
export const PushJob = Schema.Struct({
  id: PushJobId,
  customer: CustomerId,
  dataset: DatasetName,
  enabled: Schema.Boolean,
  destination: Destination,
  batch: BatchSettings,
  /** `refuse` when absent. */
  onOverload: Schema.optionalKey(OverloadPolicy),
  /** Share of a destination host and of the sweep, beside that of other jobs: 1 when absent. */
  weight: Schema.optionalKey(between(1, 100)),
  /** Whether the destination is told of records that it will not get, by one record in their place: no when absent. */
  markLoss: Schema.optionalKey(Schema.Boolean),
});
export type PushJob = typeof PushJob.Type;

/** A push job as the store holds it. */
export interface StoredJob {
  readonly job: PushJob;
  /** The store's revision of this job: rises with every change, names one content for ever. */
  readonly revision: number;
}

/** As it is, but that nothing of it is delivered any more. */
export const disabled = ({ job, revision }: StoredJob): StoredJob => ({ revision, job: { ...job, enabled: false } });

/** What a write did to the stored job. `unchanged`: it was identical, so it was left alone and kept its revision. */
export const JobChange = Schema.Literals(["created", "updated", "unchanged"]);
export type JobChange = typeof JobChange.Type;
