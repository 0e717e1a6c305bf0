import { Effect, Result, Schema } from "effect";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Dataset, unknownFieldsOf } from "../domain/dataset.ts";
import { readSource } from "./read-source.ts";
import { strictDecode } from "./strict-decode.ts";

/** Catalogue entries that cannot be used: `file:line:column: path: message` each. */
export class CatalogueError extends Schema.TaggedError<CatalogueError>()("CatalogueError", {
  problems: Schema.Array(Schema.String),
  message: Schema.String,
}) {}

/** What is known of datasets beyond their names. A dataset without an entry works as well. */
export interface Catalogue {
  readonly get: (name: string) => Dataset | undefined;
  readonly all: ReadonlyArray<Dataset>;
}

/** The same depth below the package's root in a clone (`src/`) and in the package (`dist/`). */
const shipped = fileURLToPath(new URL("../../config/datasets", import.meta.url));
const entriesMax = 10_000;

/** The shipped entries, then those of `directory`, which replace shipped ones of the same name. */
export const loadCatalogue = Effect.fn("control.loadCatalogue")(function* (
  directory?: string,
): Effect.fn.Return<Catalogue, CatalogueError> {
  const byName = new Map<string, Dataset>();
  const problems: Array<string> = [];
  for (const folder of directory === undefined ? [shipped] : [shipped, directory]) {
    for (const file of yield* entriesOf(folder)) {
      const loaded = yield* Effect.result(loadDataset(join(folder, file)));
      if (Result.isFailure(loaded)) problems.push(...loaded.failure);
      else byName.set(loaded.success.name, loaded.success);
    }
  }
  if (problems.length > 0) return yield* failure(problems);
  return { get: (name) => byName.get(name), all: [...byName.values()] };
});

const entriesOf = (folder: string): Effect.Effect<ReadonlyArray<string>, CatalogueError> =>
  Effect.tryPromise({
    try: () => readdir(folder),
    catch: () => failure([`${folder}: the dataset catalogue cannot be read`]),
  }).pipe(
    Effect.map((names) => names.filter((name) => name.endsWith(".json")).toSorted()),
    Effect.filterOrFail(
      (names) => names.length <= entriesMax,
      () => failure([`${folder}: holds more than ${entriesMax} entries`]),
    ),
  );

const loadDataset = Effect.fnUntraced(function* (path: string): Effect.fn.Return<Dataset, ReadonlyArray<string>> {
  const document = yield* readSource(path);
  // A catalogue holds no secrets.
  const decoded = strictDecode(Dataset, document.value, () => true);
  if (Result.isFailure(decoded)) return yield* Effect.fail(document.explain(decoded.failure));
  const issues = issuesIn(decoded.success, basename(path, ".json"));
  return issues.length === 0 ? decoded.success : yield* Effect.fail(document.explain(issues));
});

const issuesIn = (dataset: Dataset, expected: string) => [
  ...(dataset.name === expected
    ? []
    : [{ path: ["name"], message: `must be ${expected}, as the file is named, got ${dataset.name}` }]),
  ...unknownFieldsOf(dataset).map(({ field, key }) => ({
    path: [key],
    message: `${field} is none of the dataset's fields: declare it under fields, or correct the name`,
  })),
];

const failure = (problems: ReadonlyArray<string>) => new CatalogueError({ problems, message: problems.join("\n") });
