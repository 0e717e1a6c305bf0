import { Result, Schema } from "effect";
import { PushJobId } from "../domain/ids.ts";
import { type JobEdit, transactionChangesMax } from "../domain/job-transaction.ts";
import { decodeJob } from "./decode-job.ts";
import type { Problem } from "./problem.ts";
import { strictDecode } from "./strict-decode.ts";

/** A transaction as somebody asked for it. */
export interface AskedTransaction {
  readonly edits: ReadonlyArray<JobEdit>;
  readonly reason: string | undefined;
  readonly dryRun: boolean;
}

/** What of a transaction could not be read, and what of it could: the rest may have faults of its own to be told. */
export interface UnreadTransaction {
  readonly problems: ReadonlyArray<Problem>;
  readonly read: ReadonlyArray<readonly [index: number, edit: JobEdit]>;
}

const WrittenTransaction = Schema.Struct({
  changes: Schema.Array(Schema.Unknown).check(Schema.isMinLength(1)),
  reason: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(500))),
  dryRun: Schema.optionalKey(Schema.Boolean),
});

const WrittenChange = Schema.Struct({
  put: Schema.optionalKey(Schema.Unknown),
  remove: Schema.optionalKey(PushJobId),
  ifRevision: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
});

/** `{changes: [{put, ifRevision?} | {remove, ifRevision?}], reason?, dryRun?}`, with every problem and its index. */
export const decodeTransaction = (input: unknown): Result.Result<AskedTransaction, UnreadTransaction> => {
  const written = strictDecode(WrittenTransaction, input, ([root]) => root === "reason" || root === "dryRun");
  if (Result.isFailure(written)) return Result.fail({ problems: written.failure, read: [] });
  const { changes, dryRun = false, reason } = written.success;
  if (changes.length > transactionChangesMax) return Result.fail({ problems: [tooMany(changes.length)], read: [] });
  const problems: Array<Problem> = [];
  const read: Array<readonly [number, JobEdit]> = [];
  for (const [index, change] of changes.entries()) {
    const edit = decodeChange(change);
    if (Result.isSuccess(edit)) read.push([index, edit.success]);
    else problems.push(...edit.failure.map((problem) => below(index, problem)));
  }
  return problems.length > 0
    ? Result.fail({ problems, read })
    : Result.succeed({ edits: read.map(([, edit]) => edit), reason, dryRun });
};

const decodeChange = (input: unknown): Result.Result<JobEdit, ReadonlyArray<Problem>> => {
  const written = strictDecode(WrittenChange, input, ([root]) => root === "remove" || root === "ifRevision");
  if (Result.isFailure(written)) return Result.fail(written.failure);
  const { ifRevision, put, remove } = written.success;
  if ((put === undefined) === (remove === undefined)) {
    return Result.fail([{ path: [], message: "must have either put (a push job) or remove (an id)" }]);
  }
  if (remove !== undefined) return Result.succeed({ remove, ifRevision });
  const job = decodeJob(put);
  return Result.isSuccess(job)
    ? Result.succeed({ put: job.success, ifRevision })
    : Result.fail(job.failure.map((problem) => ({ ...problem, path: ["put", ...problem.path] })));
};

const below = (index: number, problem: Problem): Problem => ({ ...problem, path: ["changes", index, ...problem.path] });

const tooMany = (count: number): Problem => ({
  path: ["changes"],
  message:
    `are ${count}; a transaction has at most ${transactionChangesMax}: ` +
    "split it, each part is then stored whole or not at all",
});
