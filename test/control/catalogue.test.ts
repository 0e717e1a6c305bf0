import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadCatalogue } from "../../src/control/catalogue.ts";

const withEntry = <A, E>(name: string, text: string, use: (directory: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-datasets-"))),
    (directory) => Effect.promise(() => writeFile(join(directory, name), text)).pipe(Effect.andThen(use(directory))),
    (directory) => Effect.promise(() => rm(directory, { recursive: true })),
  );

describe("the dataset catalogue", () => {
  it.effect("ships http_requests, with the field that names the customer", () =>
    Effect.gen(function* () {
      const catalogue = yield* loadCatalogue();
      const dataset = catalogue.get("http_requests");
      assert.strictEqual(dataset?.customerField, "Customer");
      assert.strictEqual(dataset?.timestampField, "EdgeStartTimestamp");
      assert.strictEqual(dataset?.fields["EdgeResponseStatus"]?.type, "int");
      assert.isTrue("Customer" in (dataset?.fields ?? {}));
    }),
  );

  it.effect("knows nothing of a dataset without an entry, and that is fine", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* loadCatalogue()).get("no_such"));
    }),
  );

  it.effect("takes more entries from a directory, which replace shipped ones", () =>
    withEntry("http_requests.json", '{"name":"http_requests","fields":{}}', (directory) =>
      Effect.gen(function* () {
        const dataset = (yield* loadCatalogue(directory)).get("http_requests");
        assert.deepStrictEqual(Object.entries(dataset ?? {}), [
          ["name", "http_requests"],
          ["fields", {}],
        ]);
      }),
    ),
  );

  it.effect("names the line of what is wrong", () =>
    withEntry("x.json", '{\n "name": "y",\n "fields": {}\n}', (directory) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(loadCatalogue(directory));
        assert.strictEqual(
          error.message,
          `${join(directory, "x.json")}:2:10: name: must be x, as the file is named, got y`,
        );
      }),
    ),
  );

  it.effect("names the line of a field that a dataset is read by and does not have", () =>
    withEntry(
      "x.json",
      [
        "{",
        ' "name": "x",',
        ' "customerField": "Custmer",',
        ' "timestampField": "toString",',
        ' "fields": { "Customer": { "type": "string", "description": "whose" } }',
        "}",
      ].join("\n"),
      (directory) =>
        Effect.gen(function* () {
          const { problems } = yield* Effect.flip(loadCatalogue(directory));
          const file = join(directory, "x.json");
          const remedy = "declare it under fields, or correct the name";
          assert.deepStrictEqual(problems, [
            `${file}:3:19: customerField: Custmer is none of the dataset's fields: ${remedy}`,
            `${file}:4:20: timestampField: toString is none of the dataset's fields: ${remedy}`,
          ]);
        }),
    ),
  );

  it.effect("without its directory does not start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(loadCatalogue("/no/such/directory"));
      assert.match(error.message, /cannot be read/);
    }),
  );
});
