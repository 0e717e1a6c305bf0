import { Schema } from "effect";
import type { PushJob } from "./push-job.ts";

/** Most changes in one transaction: the server's limit of an atomic batch. Never split silently: it would be two. */
export const transactionChangesMax = 1_000;

/** Creates or replaces a job; with `ifRevision` only if that is its revision (0: only if there is none). */
export interface JobPut {
  readonly put: PushJob;
  readonly ifRevision?: number | undefined;
}

/** Removes the job of that id; one that does not exist is left so. */
export interface JobRemoval {
  readonly remove: string;
  readonly ifRevision?: number | undefined;
}

/** One change of a transaction. */
export type JobEdit = JobPut | JobRemoval;

export const editedId = (edit: JobEdit): string => ("put" in edit ? edit.put.id : edit.remove);

/** What a transaction did to a job. `unchanged`: it is as it was to be, so nothing was written. */
export const EditChange = Schema.Literals(["created", "updated", "removed", "unchanged"]);
export type EditChange = typeof EditChange.Type;

/** What became of one change. */
export const EditedJob = Schema.Struct({
  id: Schema.String,
  change: EditChange,
  /** Of the job, or of its removal. In a dry run the one that is stored now. 0: there never was such a job. */
  revision: Schema.Int,
});
export type EditedJob = typeof EditedJob.Type;

/** Why one change, and with it the whole transaction, was refused. */
export const EditProblem = Schema.Struct({
  /** Of the change in the transaction, from 0. */
  index: Schema.Int,
  job: Schema.String,
  /** `revision`: somebody changed it meanwhile; everything else is the transaction's own fault. */
  reason: Schema.Literals(["invalid", "identity", "revision", "duplicate", "tooLarge", "tooMany"]),
  /** Begins at the job; empty for the change as such. */
  path: Schema.Array(Schema.Union([Schema.String, Schema.Int])),
  message: Schema.String,
});
export type EditProblem = typeof EditProblem.Type;
