import { Config, Effect, Redacted } from "effect";
import { pathKey } from "./decode-job.ts";
import type { Problem } from "./problem.ts";

/** A value with `${NAME}` of its strings replaced, and where that was. */
interface Substituted {
  readonly value: unknown;
  /** `pathKey` of every string that now holds something from the environment. */
  readonly paths: ReadonlySet<string>;
  readonly problems: ReadonlyArray<Problem>;
}

/** `$${` is a literal `${`. */
const reference = /\$\$\{|\$\{([^}]*)\}/g;
const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Replaces `${NAME}` in all strings of `value` with what Config knows under that name (the environment). */
export const substitute = Effect.fn("control.substitute")(function* (
  value: unknown,
  at: ReadonlyArray<string | number>,
) {
  const found: Array<{ readonly path: ReadonlyArray<string | number>; readonly name: string }> = [];
  mapStrings(value, at, (text, path) => {
    for (const [whole, name] of text.matchAll(reference)) if (whole !== "$${") found.push({ path, name: name ?? "" });
    return text;
  });
  const known = new Map<string, string>();
  const problems: Array<Problem> = [];
  for (const { name, path } of found) {
    if (!namePattern.test(name)) {
      problems.push({
        path,
        message: "holds ${…} without the name of an environment variable in it; $${ is a literal ${",
      });
      continue;
    }
    const secret = known.get(name) ?? (yield* read(name));
    // An empty secret is one that somebody forgot to fill in.
    if (secret === "") problems.push({ path, message: `needs the environment variable ${name}, which is not set` });
    else known.set(name, secret);
  }
  const paths = new Set(found.map(({ path }) => pathKey(path)));
  const replaced = mapStrings(value, at, (text) =>
    text.replaceAll(reference, (whole, name: string | undefined) =>
      whole === "$${" ? "${" : (known.get(name ?? "") ?? ""),
    ),
  );
  return { value: replaced, paths, problems } satisfies Substituted;
});

const read = (name: string): Effect.Effect<string> =>
  Effect.gen(function* () {
    return Redacted.value(yield* Config.Redacted(name));
  }).pipe(Effect.orElseSucceed(() => ""));

const mapStrings = (
  value: unknown,
  path: ReadonlyArray<string | number>,
  change: (text: string, path: ReadonlyArray<string | number>) => string,
): unknown => {
  if (typeof value === "string") return change(value, path);
  if (Array.isArray(value)) return value.map((item, index) => mapStrings(item, [...path, index], change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapStrings(item, [...path, key], change)]),
  );
};
