import { Schema } from "effect";
import { EditProblem } from "../domain/job-transaction.ts";

/** The store could not do what was asked. `tooMany` and `tooLarge` are limits; the others may pass. */
export class JobStoreError extends Schema.TaggedError<JobStoreError>()("JobStoreError", {
  reason: Schema.Literals(["unavailable", "tooMany", "tooLarge", "notServed", "contended"]),
  message: Schema.String,
}) {}

/** The job is not what the caller took it for: another `revision`, or of another customer or dataset (`identity`). */
export class JobConflict extends Schema.TaggedError<JobConflict>()("JobConflict", {
  reason: Schema.Literals(["revision", "identity"]),
  job: Schema.String,
  /** The stored one; 0: there is no such job. */
  revision: Schema.Int,
  message: Schema.String,
}) {}

/** Nothing of a transaction was stored: these of its changes are at fault, all of them told. */
export class TransactionRefused extends Schema.TaggedError<TransactionRefused>()("TransactionRefused", {
  problems: Schema.Array(EditProblem),
  message: Schema.String,
}) {}
