import { Schema } from "effect";
import { PushJob } from "../domain/push-job.ts";

/** What became of a push job at a revision. `damaged`: it does not decode, and the one before stayed in force. */
export const RevisionChange = Schema.Literals([
  "created",
  "updated",
  "enabled",
  "disabled",
  "removed",
  "restored",
  "damaged",
]);
export type RevisionChange = typeof RevisionChange.Type;

/** One revision of a push job: who changed what, when, and why. */
export const JobRevisionReport = Schema.Struct({
  revision: Schema.Int,
  /** The store's own time, epoch millis. */
  millis: Schema.Int,
  change: RevisionChange,
  /** Empty: it is not known, for the job was stored by something else than this API. */
  who: Schema.String,
  why: Schema.String,
  /** Settings that differ from the revision before, by their names at the top. */
  differs: Schema.Array(Schema.String),
  /** With `restored`: the revision whose settings these are. */
  restoreOf: Schema.optionalKey(Schema.Int),
  /** Its settings, secrets redacted; absent for a removal. */
  job: Schema.optionalKey(PushJob),
});
export type JobRevisionReport = typeof JobRevisionReport.Type;

export const JobHistoryReport = Schema.Struct({
  id: Schema.String,
  /** Newest first, at most 20: the store remembers no more. */
  revisions: Schema.Array(JobRevisionReport),
});
export type JobHistoryReport = typeof JobHistoryReport.Type;
