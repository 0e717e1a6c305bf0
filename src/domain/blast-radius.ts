import { Schema } from "effect";

const Count = Schema.Int;

/** Jobs by what becomes of them. */
export const JobChanges = Schema.Struct({
  added: Count,
  removed: Count,
  disabled: Count,
  enabled: Count,
  restored: Count,
  /** Another destination. */
  redirected: Count,
  /** Other settings, the same destination. */
  edited: Count,
});
export type JobChanges = typeof JobChanges.Type;

/** Fields that a dataset had declared and has no more, while jobs deliver it. */
export const FieldsGone = Schema.Struct({
  dataset: Schema.String,
  /** Enabled jobs that deliver it. */
  enabled: Count,
  fields: Schema.Array(Schema.String),
});
export type FieldsGone = typeof FieldsGone.Type;

/** Entries of the catalogue of datasets, by name. */
export const CatalogueChanges = Schema.Struct({
  added: Schema.Array(Schema.String),
  removed: Schema.Array(Schema.String),
  changed: Schema.Array(Schema.String),
  /** Absent: none. */
  fieldsGone: Schema.optionalKey(Schema.Array(FieldsGone)),
});
export type CatalogueChanges = typeof CatalogueChanges.Type;

/** What a snapshot would change, in numbers. Bytes a second are of recent traffic; absent where none was measured. */
export const BlastRadius = Schema.Struct({
  jobs: JobChanges,
  /** Enabled jobs: of these there are buffers. */
  buffers: Schema.Struct({ before: Count, after: Count }),
  customers: Schema.Struct({ before: Count, after: Count, touched: Count }),
  catalogue: CatalogueChanges,
  /** That have jobs, by name. */
  datasets: Schema.Struct({ added: Schema.Array(Schema.String), gone: Schema.Array(Schema.String) }),
  bytesPerSecond: Schema.optionalKey(
    Schema.Struct({ added: Schema.Number, removed: Schema.Number, redirected: Schema.Number }),
  ),
  /** Of what the cluster can hold, the share that would be used afterwards. */
  headroomUsedPercent: Schema.Struct({ jobs: Schema.Number }),
});
export type BlastRadius = typeof BlastRadius.Type;

/** Why a snapshot may not be served, and what can be done. */
export const GateRefusal = Schema.Struct({
  /** A word for counters and scripts. */
  rule: Schema.String,
  message: Schema.String,
  remedy: Schema.String,
  /** Some of the jobs that are concerned, at most 10. */
  jobs: Schema.Array(Schema.String),
  /** Whether `--accept-blast-radius` lets the snapshot past. What is damaged or not explained never goes past. */
  acceptable: Schema.Boolean,
});
export type GateRefusal = typeof GateRefusal.Type;

/** What the gate says of one snapshot. */
export const GateVerdict = Schema.Struct({
  /** Hash of the snapshot's manifest: what `--accept-blast-radius` must name. */
  snapshot: Schema.String,
  number: Count,
  previous: Count,
  passed: Schema.Boolean,
  /** One customer's few jobs: it goes to all nodes at once. */
  small: Schema.Boolean,
  radius: BlastRadius,
  refusals: Schema.Array(GateRefusal),
  /** Refusals that were accepted by a person, for this snapshot. */
  accepted: Schema.Array(Schema.String),
});
export type GateVerdict = typeof GateVerdict.Type;
