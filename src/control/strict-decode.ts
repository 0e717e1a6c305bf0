import { Predicate, Result, Schema, SchemaIssue } from "effect";
import type { Problem } from "./problem.ts";

/** Which values may be quoted in a message. Everything else may hold a secret. */
export type Quotable = (path: ReadonlyArray<string | number>) => boolean;

/**
 * Decodes what a person wrote: every problem at once, unknown keys are problems (with the key that was probably meant),
 * and a value is quoted only where `quotable` says so.
 */
export const strictDecode = <A>(
  schema: Schema.Codec<A, unknown>,
  input: unknown,
  quotable: Quotable,
): Result.Result<A, ReadonlyArray<Problem>> => {
  const decoded = Schema.decodeUnknownResult(schema, { errors: "all", onExcessProperty: "error" })(input);
  if (Result.isSuccess(decoded)) return Result.succeed(decoded.success);
  const { issues } = format(decoded.failure.issue);
  const seen = new Set<string>();
  const problems = issues.flatMap(({ message, path }) => {
    const problem = toProblem(message, (path ?? []).map(step), input, quotable);
    // Two checks of one value that say the same thing about it are one problem.
    const key = JSON.stringify([problem.path, problem.message]);
    if (seen.has(key)) return [];
    seen.add(key);
    return [problem];
  });
  return Result.fail(problems);
};

const step = (part: PropertyKey | { readonly key: PropertyKey }): string | number => {
  const key = typeof part === "object" ? part.key : part;
  return typeof key === "number" ? key : String(key);
};

const unknownKey = "unknown key ";

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    Predicate.isTagged(issue, "UnexpectedKey")
      ? unknownKey + JSON.stringify(keysOf(issue.ast))
      : SchemaIssue.defaultLeafHook(issue),
});

/** The keys that would have been known. */
const keysOf = (ast: unknown): ReadonlyArray<string> => {
  const signatures = (ast as { readonly propertySignatures?: ReadonlyArray<{ readonly name: PropertyKey }> })
    .propertySignatures;
  return (signatures ?? []).map(({ name }) => String(name));
};

const toProblem = (
  message: string,
  path: ReadonlyArray<string | number>,
  input: unknown,
  quotable: Quotable,
): Problem => {
  if (message.startsWith(unknownKey)) {
    const known = JSON.parse(message.slice(unknownKey.length)) as ReadonlyArray<string>;
    return { path, message: `is not a known key${meant(String(path.at(-1)), known)}`, atKey: true };
  }
  if (message === "Missing key") return { path, message: "is missing" };
  const kinds = [...message.matchAll(/readonly "kind": ("\w+")/g)].map(([, kind]) => kind);
  const value = valueAt(input, path);
  if (kinds.length > 0) {
    if (!isObject(value)) return { path, message: `must be an object, got ${typeName(value)}` };
    const at = [...path, "kind"];
    if (value["kind"] === undefined) return { path: at, message: `is missing: one of ${kinds.join(", ")}` };
    return { path: at, message: `must be one of ${kinds.join(", ")}${got(value["kind"], quotable(at))}` };
  }
  return { path, message: `${expectation(message)}${got(value, quotable(path))}` };
};

const expectation = (message: string): string => {
  const expected = /^Expected (.*)$/s.exec(message)?.[1];
  if (expected === undefined) return message;
  if (expected === "a value with a length of at least 1") return "must not be empty";
  if (/^(string|boolean|number)$/.test(expected)) return `must be a ${expected}`;
  if (/^(object|array)$/.test(expected)) return `must be ${expected === "array" ? "a list" : "an object"}`;
  return `must be ${expected.replace(/^a value (between|greater|less)/, "$1").replaceAll(" | ", " or ")}`;
};

const quotedMax = 80;

const got = (value: unknown, mayQuote: boolean): string => {
  if (value === undefined) return "";
  if (typeof value === "object" || !mayQuote) return `, got ${typeName(value)}`;
  const text = JSON.stringify(value) ?? typeof value;
  return `, got ${text.length > quotedMax ? `${text.slice(0, quotedMax)}…` : text}`;
};

const typeName = (value: unknown): string => {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const valueAt = (input: unknown, path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined,
    input,
  );

/** `maxByte` → `: did you mean maxBytes?` */
const meant = (key: string, known: ReadonlyArray<string>): string => {
  const near = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance, name }) => distance <= Math.max(2, Math.floor(name.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)[0];
  if (near !== undefined) return `: did you mean ${near.name}?`;
  return known.length === 0 ? "" : `: known are ${known.join(", ")}`;
};

/** Levenshtein. Keys are short; a longer one is nobody's typing error. */
const editDistance = (a: string, b: string): number => {
  if (a.length > 64) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};
