import { Result, Schema } from "effect";
import { resolve } from "node:path";
import { BatchSettings, batchDefaults, PushJob } from "../domain/push-job.ts";
import type { Problem } from "./problem.ts";
import { strictDecode } from "./strict-decode.ts";

/** What a decoder knows beside the job itself. */
export interface DecodeContext {
  /** The id that the address of a request names: taken when the job has none, and contradicted by no other. */
  readonly id?: string;
  /** Relative paths of `file` destinations begin here; without it they are refused. */
  readonly directory?: string;
  /** Values that came from the environment, as `pathKey`: never quoted. */
  readonly substituted?: ReadonlySet<string>;
}

/** `PushJob` as people write it: `enabled` and every part of `batch` may be left out. */
const WrittenJob = Schema.Struct({
  ...PushJob.fields,
  enabled: Schema.optionalKey(PushJob.fields.enabled),
  batch: Schema.optionalKey(
    Schema.Struct({
      maxBytes: Schema.optionalKey(BatchSettings.fields.maxBytes),
      maxRecords: Schema.optionalKey(BatchSettings.fields.maxRecords),
      maxIntervalSeconds: Schema.optionalKey(BatchSettings.fields.maxIntervalSeconds),
    }),
  ),
});

/** One job as somebody wrote it: in a file, a request or a command. Paths of problems begin at the job. */
export const decodeJob = (
  input: unknown,
  context: DecodeContext = {},
): Result.Result<PushJob, ReadonlyArray<Problem>> => {
  const decoded = strictDecode(WrittenJob, withId(input, context.id), (path) => isQuotable(path, context));
  if (Result.isFailure(decoded)) return Result.fail(decoded.failure);
  const written = decoded.success;
  const problems = [...idProblems(written.id, context.id), ...destinationProblems(written, context)];
  if (problems.length > 0) return Result.fail(problems);
  return Result.succeed({
    ...written,
    enabled: written.enabled ?? true,
    batch: { ...batchDefaults, ...written.batch },
    destination: absolute(written.destination, context),
  });
};

/** The key of a path in `DecodeContext.substituted`. */
export const pathKey = (path: ReadonlyArray<string | number>): string => JSON.stringify(path);

const quotableRoots = new Set(["id", "customer", "dataset", "enabled", "batch", "onOverload", "weight", "markLoss"]);
const quotableSettings = new Set(["kind", "path", "region", "bucket", "pathStyle", "timeoutSeconds"]);

/** An allow-list: a setting that nobody thought of is a secret. */
const isQuotable = (path: ReadonlyArray<string | number>, { substituted }: DecodeContext): boolean => {
  if (substituted?.has(pathKey(path)) === true) return false;
  const [root, setting] = path;
  if (root === "destination") return path.length === 2 && quotableSettings.has(String(setting));
  return quotableRoots.has(String(root));
};

const withId = (input: unknown, id: string | undefined): unknown =>
  id !== undefined && typeof input === "object" && input !== null && !Array.isArray(input) && !("id" in input)
    ? { ...input, id }
    : input;

const idProblems = (id: string, expected: string | undefined): ReadonlyArray<Problem> =>
  expected === undefined || id === expected ? [] : [{ path: ["id"], message: `must be ${expected}, got ${id}` }];

const destinationProblems = (
  { destination }: Pick<PushJob, "destination">,
  { directory }: DecodeContext,
): ReadonlyArray<Problem> => {
  if (destination.kind === "http") return urlProblems("url", destination.url);
  if (destination.kind === "s3") return urlProblems("endpoint", destination.endpoint);
  return directory !== undefined || destination.path.startsWith("/")
    ? []
    : [{ path: ["destination", "path"], message: "must be an absolute path" }];
};

/** Not quoted: a URL may hold a secret. */
const urlProblems = (setting: string, text: string): ReadonlyArray<Problem> =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
    ? []
    : [{ path: ["destination", setting], message: "must be a URL that begins with http:// or https://" }];

const absolute = (destination: PushJob["destination"], { directory }: DecodeContext): PushJob["destination"] =>
  destination.kind === "file" && directory !== undefined
    ? { ...destination, path: resolve(directory, destination.path) }
    : destination;
