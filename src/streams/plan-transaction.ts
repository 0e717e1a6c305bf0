import { Result } from "effect";
import { type EditChange, editedId, type EditProblem, type JobEdit, type JobPut } from "../domain/job-transaction.ts";
import type { PushJob } from "../domain/push-job.ts";
import type { JobWrite } from "./job-batch.ts";
import type { JobEntry } from "./job-bucket.ts";
import { canonicalJob, encodeJob } from "./job-codec.ts";

/** What is stored under an id before the transaction. */
export interface FoundJob {
  /** The newest message of the key; undefined: there is none, or nobody here has heard of the job. */
  readonly entry: JobEntry | undefined;
  /** The job that is meant: the last good one when the newest message does not decode. */
  readonly current: PushJob | undefined;
}

/** What is wrong with a job beyond what the store itself looks at. `path` begins at the job. */
export interface JobFault {
  readonly path: ReadonlyArray<string | number>;
  readonly message: string;
}

/** Finds fault with a job in view of the stored one, or completes it (with secrets that are stored). */
export type CompleteJob = (
  job: PushJob,
  stored: PushJob | undefined,
) => Result.Result<PushJob, ReadonlyArray<JobFault>>;

export interface PlanOptions {
  readonly complete?: CompleteJob | undefined;
  /** How many jobs there are before. */
  readonly count: number;
  readonly jobsMax: number;
  readonly jobBytesMax: number;
}

/** What one change comes to. */
export interface PlannedEdit {
  readonly id: string;
  readonly change: EditChange;
  /** The revision before; 0: there is no message of the key. */
  readonly revision: number;
  /** As it will be stored; undefined for removals. */
  readonly job: PushJob | undefined;
  /** Undefined: nothing is to be written. */
  readonly data: Uint8Array | undefined;
}

/**
 * What a transaction comes to when this is stored, or everything that is wrong with it. Pure: it is asked again
 * whenever somebody else's write came first.
 */
export const planTransaction = (
  edits: ReadonlyArray<JobEdit>,
  found: (id: string) => FoundJob,
  options: PlanOptions,
): Result.Result<ReadonlyArray<PlannedEdit>, ReadonlyArray<EditProblem>> => {
  const problems: Array<EditProblem> = duplicatesIn(edits);
  const planned: Array<PlannedEdit> = [];
  for (const [index, edit] of edits.entries()) {
    const outcome = planEdit(edit, found(editedId(edit)), options);
    if (Result.isSuccess(outcome)) planned.push(outcome.success);
    else problems.push(...outcome.failure.map((problem) => ({ index, job: editedId(edit), ...problem })));
  }
  if (problems.length === 0) problems.push(...overLimit(planned, options));
  return problems.length > 0 ? Result.fail(problems.toSorted((a, b) => a.index - b.index)) : Result.succeed(planned);
};

/** The messages of a plan. Removals first: whoever reads while at the limit of jobs has room for what follows. */
export const writesOf = (
  planned: ReadonlyArray<PlannedEdit>,
  headers: Readonly<Record<string, string>> | undefined,
): ReadonlyArray<JobWrite> =>
  planned
    .filter(({ change }) => change !== "unchanged")
    .toSorted((a, b) => Number(b.change === "removed") - Number(a.change === "removed"))
    .map(({ data, id, revision }) => ({ id, data, lastRevision: revision, headers }));

type Fault = Omit<EditProblem, "index" | "job">;
type Planned = Result.Result<PlannedEdit, ReadonlyArray<Fault>>;

const planEdit = (edit: JobEdit, found: FoundJob, options: PlanOptions): Planned => {
  const { entry } = found;
  const exists = entry !== undefined && !entry.removed;
  const stale = staleness(editedId(edit), edit.ifRevision, exists ? entry.revision : 0);
  if ("put" in edit) return planPut(edit, found, stale, options);
  if (stale.length > 0) return Result.fail(stale);
  const revision = entry?.revision ?? 0;
  return Result.succeed({
    id: edit.remove,
    change: exists ? "removed" : "unchanged",
    revision,
    job: undefined,
    data: undefined,
  });
};

const planPut = (
  { put }: JobPut,
  { current, entry }: FoundJob,
  stale: ReadonlyArray<Fault>,
  { complete, jobBytesMax }: PlanOptions,
): Planned => {
  const completed = complete?.(put, current) ?? Result.succeed(put);
  const faults = [...stale, ...otherIdentity(put, current)];
  if (Result.isFailure(completed)) {
    return Result.fail([...faults, ...completed.failure.map((fault): Fault => ({ reason: "invalid", ...fault }))]);
  }
  const job = completed.success;
  const data = encodeJob(job);
  if (data.length > jobBytesMax) {
    const message = `Job ${job.id} takes ${data.length} bytes; at most ${jobBytesMax} are stored.`;
    faults.push({ reason: "tooLarge", path: [], message });
  }
  if (faults.length > 0) return Result.fail(faults);
  const isSame = entry?.job !== undefined && canonicalJob(entry.job) === canonicalJob(job);
  const change = isSame ? "unchanged" : current === undefined ? "created" : "updated";
  return Result.succeed({ id: job.id, change, revision: entry?.revision ?? 0, job, data: isSame ? undefined : data });
};

const staleness = (id: string, expected: number | undefined, actual: number): ReadonlyArray<Fault> => {
  if (expected === undefined || expected === actual) return [];
  const message =
    actual === 0
      ? `Job ${id} does not exist; revision ${expected} was expected.`
      : expected === 0
        ? `Job ${id} exists at revision ${actual}, and was to be a new one.`
        : `Job ${id} is at revision ${actual}, not ${expected}: somebody changed it meanwhile.`;
  return [{ reason: "revision", path: [], message }];
};

const otherIdentity = (job: PushJob, current: PushJob | undefined): ReadonlyArray<Fault> =>
  (["customer", "dataset"] as const).flatMap((part) => {
    if (current === undefined || current[part] === job[part]) return [];
    const message = `cannot change: stored job ${job.id} has ${current[part]}; give the new one another id`;
    return [{ reason: "identity" as const, path: [part], message }];
  });

/** The same id twice: the later one is at fault. */
const duplicatesIn = (edits: ReadonlyArray<JobEdit>): Array<EditProblem> => {
  const seen = new Set<string>();
  return edits.flatMap((edit, index) => {
    const id = editedId(edit);
    if (!seen.has(id)) {
      seen.add(id);
      return [];
    }
    const message = `Job ${id} is in this transaction before: once is enough.`;
    return [{ index, job: id, reason: "duplicate" as const, path: [], message }];
  });
};

const overLimit = (
  planned: ReadonlyArray<PlannedEdit>,
  { count, jobsMax }: PlanOptions,
): ReadonlyArray<EditProblem> => {
  const after = planned.reduce(
    (jobs, { change }) => jobs + Number(change === "created") - Number(change === "removed"),
    count,
  );
  const index = planned.findLastIndex(({ change }) => change === "created");
  // Over the limit already, by somebody else's hand: what makes no job more may still be done.
  if (after <= jobsMax || after <= count || index === -1) return [];
  const message = `This would make ${after} push jobs; limits.jobsMax allows ${jobsMax}.`;
  return [{ index, job: planned[index]!.id, reason: "tooMany", path: [], message }];
};
