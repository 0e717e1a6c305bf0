import { Effect, Result, Schema } from "effect";
import { dirname, resolve } from "node:path";
import type { PushJob } from "../domain/push-job.ts";
import { decodeJob } from "./decode-job.ts";
import type { Problem } from "./problem.ts";
import { readSource } from "./read-source.ts";
import type { SourceDocument } from "./source-document.ts";
import { substitute } from "./substitute.ts";

/** A jobs file that cannot be used, with everything that is wrong: `file:line:column: jobs[3].batch.maxBytes: …`. */
export class JobsFileError extends Schema.TaggedError<JobsFileError>()("JobsFileError", {
  file: Schema.String,
  problems: Schema.Array(Schema.String),
  message: Schema.String,
}) {}

/** A jobs file that was read, with the way back from a job to its line. */
export interface JobsFile {
  readonly file: string;
  readonly jobs: ReadonlyArray<PushJob>;
  /** The error that tells what is wrong with these jobs; paths begin at the job of that index. */
  readonly error: (problems: ReadonlyArray<readonly [index: number, problem: Problem]>) => JobsFileError;
}

/** The push jobs of a YAML or JSON file: a list, or an object with the list `jobs`. All or nothing. */
export const loadJobsFile = (path: string): Effect.Effect<ReadonlyArray<PushJob>, JobsFileError> =>
  readJobsFile(path).pipe(Effect.map(({ jobs }) => jobs));

/** The same, for those who go on to find fault with single jobs. */
export const readJobsFile = Effect.fn("control.readJobsFile")(function* (
  path: string,
): Effect.fn.Return<JobsFile, JobsFileError> {
  const document = yield* readSource(path).pipe(Effect.mapError((problems) => failure(path, problems)));
  const root = rootOf(document.value);
  const jobs: Array<PushJob> = [];
  const problems: Array<Problem> = [...root.problems];
  for (const [index, item] of root.items.entries()) {
    const at = [...root.path, index];
    const decoded = yield* decodeItem(item, at, dirname(resolve(path)));
    if (Result.isSuccess(decoded)) jobs.push(decoded.success);
    else problems.push(...decoded.failure);
  }
  problems.push(...duplicates(root));
  if (problems.length > 0) return yield* failure(path, document.explain(problems));
  return {
    file: path,
    jobs,
    error: (found) =>
      failure(path, document.explain(found.map(([index, problem]) => below([...root.path, index], problem)))),
  };
});

interface Root {
  readonly path: ReadonlyArray<string | number>;
  readonly items: ReadonlyArray<unknown>;
  readonly problems: ReadonlyArray<Problem>;
}

const rootOf = (value: SourceDocument["value"]): Root => {
  if (Array.isArray(value)) return { path: [], items: value, problems: [] };
  if (typeof value !== "object" || value === null)
    return noJobs([], "must be a list of jobs, or an object with the list jobs");
  const problems = Object.keys(value)
    .filter((key) => key !== "jobs")
    .map((key) => ({ path: [key], message: "is not a known key: only jobs is", atKey: true }));
  const jobs: unknown = "jobs" in value ? value.jobs : undefined;
  if (!Array.isArray(jobs)) {
    const missing = { path: ["jobs"], message: jobs === undefined ? "is missing" : "must be a list of jobs" };
    return { path: [], items: [], problems: [...problems, missing] };
  }
  return { path: ["jobs"], items: jobs, problems };
};

const noJobs = (path: ReadonlyArray<string | number>, message: string): Root => ({
  path: [],
  items: [],
  problems: [{ path, message }],
});

const decodeItem = Effect.fnUntraced(function* (
  item: unknown,
  at: ReadonlyArray<string | number>,
  directory: string,
): Effect.fn.Return<Result.Result<PushJob, ReadonlyArray<Problem>>> {
  // Only there: what the environment holds may go to a destination, never into an id that anybody can read.
  const hasDestination = typeof item === "object" && item !== null && "destination" in item;
  const { paths, problems, value } = yield* substitute(hasDestination ? item.destination : undefined, ["destination"]);
  const input: unknown = hasDestination ? { ...item, destination: value } : item;
  const decoded = decodeJob(input, { directory, substituted: paths });
  const found = [...problems, ...(Result.isFailure(decoded) ? decoded.failure : [])];
  // A variable that is not set left an empty string behind: one problem, not two.
  const unset = new Set(problems.map(({ path }) => JSON.stringify(path)));
  const told = found.filter((each) => problems.includes(each) || !unset.has(JSON.stringify(each.path)));
  if (told.length > 0 || Result.isFailure(decoded)) return Result.fail(told.map((problem) => below(at, problem)));
  return decoded;
});

/** The same id twice: the second one is at fault. Told even when one of them does not decode. */
const duplicates = ({ items, path }: Root): ReadonlyArray<Problem> => {
  const first = new Map<string, number>();
  return items.flatMap((item, index) => {
    const id = typeof item === "object" && item !== null && "id" in item ? item.id : undefined;
    if (typeof id !== "string") return [];
    const before = first.get(id);
    if (before === undefined) {
      first.set(id, index);
      return [];
    }
    const message = `is the id of ${path.length === 0 ? "" : "jobs"}[${before}] too: ids must be unique, got ${JSON.stringify(id.slice(0, 80))}`;
    return [{ path: [...path, index, "id"], message }];
  });
};

const below = (at: ReadonlyArray<string | number>, problem: Problem): Problem => ({
  ...problem,
  path: [...at, ...problem.path],
});

const failure = (file: string, problems: ReadonlyArray<string>): JobsFileError =>
  new JobsFileError({ file, problems, message: problems.join("\n") });
