import { Schema } from "effect";

/** Most hosts in one answer. */
export const hostsAnswerMax = 1_000;

/** A destination host as this node sees it. Epoch milliseconds. */
export const HostReport = Schema.Struct({
  host: Schema.String,
  circuit: Schema.Literals(["closed", "open", "halfOpen"]),
  /** Pushes that it would get at once now. */
  concurrency: Schema.Finite,
  inFlight: Schema.Int,
  waiting: Schema.Int,
  /** Push jobs that pushed to it lately. */
  jobs: Schema.Int,
  /** No push before; 0 when there is no reason to wait. */
  notBeforeMillis: Schema.Finite,
  /** What its last answer, or the lack of one, said of it; null: there was none yet. */
  evidence: Schema.NullOr(Schema.Struct({ says: Schema.String, millis: Schema.Finite })),
});
export type HostReport = typeof HostReport.Type;
