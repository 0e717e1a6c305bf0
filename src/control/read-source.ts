import { Effect, Result } from "effect";
import { readFile, stat } from "node:fs/promises";
import { parseSource, type SourceDocument } from "./source-document.ts";

/** A hundred thousand jobs take about 40 MB. */
const fileBytesMax = 134_217_728;

/** Reads and parses a YAML or JSON file. Fails with lines for a person, which do not quote the file. */
export const readSource = Effect.fn("control.readSource")(function* (
  path: string,
): Effect.fn.Return<SourceDocument, ReadonlyArray<string>> {
  const { size } = yield* attemptFile(path, () => stat(path));
  if (size > fileBytesMax) {
    return yield* Effect.fail([`${path}:1:1: is ${size} bytes long; at most ${fileBytesMax} are read`]);
  }
  const bytes = yield* attemptFile(path, () => readFile(path));
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => [`${path}:1:1: is not UTF-8`],
  });
  const parsed = parseSource(path, text);
  return Result.isSuccess(parsed) ? parsed.success : yield* Effect.fail(parsed.failure);
});

const attemptFile = <A>(path: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (error) => [`${path}: ${reasonOf(error)}`] });

const reasonOf = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "may not be read by this user";
  if (code === "EISDIR") return "is a directory, not a file";
  return `cannot be read (${code ?? "unknown reason"})`;
};
