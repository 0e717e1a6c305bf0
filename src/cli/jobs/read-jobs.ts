import { Effect, Result } from "effect";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { decodeJob } from "../../control/decode-job.ts";
import type { Problem } from "../../control/problem.ts";
import { parseSource } from "../../control/source-document.ts";
import { substitute } from "../../control/substitute.ts";
import type { PushJob } from "../../domain/push-job.ts";
import { failed } from "../command-failure.ts";

type Path = ReadonlyArray<string | number>;

/**
 * The push jobs of a YAML or JSON file, or of stdin when it is `-`: one job, a list, or `{jobs: [...]}`. Checked here
 * with the rules of the node, because only here are lines known to point at.
 */
export const readJobs = Effect.fn("cli.readJobs")(function* (file: string) {
  const name = file === "-" ? "stdin" : file;
  const source = yield* Effect.tryPromise({
    try: () => (file === "-" ? readAll(process.stdin) : readFile(file, "utf8")),
    catch: (error) => failed(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? "unknown error"}`),
  });
  const document = parseSource(name, source);
  if (Result.isFailure(document)) return yield* failed(document.failure.join("\n"));
  const found = jobsIn(document.success.value);
  if (found.length === 0) return yield* failed(`${name} has no push job`);
  // The node may run in another directory: what is relative here must be absolute there.
  const directory = file === "-" ? process.cwd() : dirname(resolve(file));
  const jobs: Array<PushJob> = [];
  const problems: Array<Problem> = [];
  for (const [path, input] of found) {
    const decoded = yield* readJob(input, directory);
    if (Result.isSuccess(decoded)) jobs.push(decoded.success);
    else problems.push(...decoded.failure.map((problem) => ({ ...problem, path: [...path, ...problem.path] })));
  }
  if (problems.length > 0) return yield* failed(document.success.explain(problems).join("\n"));
  return jobs;
});

const jobsIn = (content: unknown): ReadonlyArray<readonly [Path, unknown]> => {
  if (Array.isArray(content)) return content.map((job: unknown, at) => [[at], job]);
  if (typeof content !== "object" || content === null) return [];
  return "jobs" in content && Array.isArray(content.jobs)
    ? content.jobs.map((job: unknown, at) => [["jobs", at], job])
    : [[[], content]];
};

/** As in a file given to `--jobs`: `${NAME}` in a destination is taken from the environment. */
const readJob = Effect.fnUntraced(function* (
  input: unknown,
  directory: string,
): Effect.fn.Return<Result.Result<PushJob, ReadonlyArray<Problem>>> {
  const written = typeof input === "object" && input !== null && "destination" in input ? input : undefined;
  const { paths, problems, value } = yield* substitute(written?.destination, ["destination"]);
  if (problems.length > 0) return Result.fail(problems);
  return decodeJob(written === undefined ? input : { ...written, destination: value }, {
    directory,
    substituted: paths,
  });
});
