import { Schema } from "effect";

/** One alert as an answer shows it. Epoch milliseconds. */
export const AlertReport = Schema.Struct({
  /** The same for the whole life of the alert. */
  dedupKey: Schema.String,
  rule: Schema.String,
  severity: Schema.Literals(["critical", "warning", "info"]),
  state: Schema.Literals(["pending", "firing", "resolved"]),
  labels: Schema.Record(Schema.String, Schema.String),
  summary: Schema.String,
  /** What it means and what to do. */
  description: Schema.String,
  /** Section of the operator's manual. */
  runbook: Schema.String,
  /** The last that met the condition. */
  value: Schema.Finite,
  threshold: Schema.Finite,
  sinceMillis: Schema.Finite,
  /** null: not yet. */
  firedMillis: Schema.NullOr(Schema.Finite),
  resolvedMillis: Schema.NullOr(Schema.Finite),
});
export type AlertReport = typeof AlertReport.Type;

export const AlertsReport = Schema.Struct({
  /** Firing first, the gravest first, then the eldest. */
  alerts: Schema.Array(AlertReport),
  /** Rules with more to complain of than they may have alerts. */
  leftOut: Schema.Array(Schema.Struct({ rule: Schema.String, count: Schema.Int })),
});
export type AlertsReport = typeof AlertsReport.Type;
