import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Effect, Result } from "effect";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadJobsFile } from "../../src/control/jobs-file.ts";

/** A file of this text in a directory of its own, gone with the scope. */
const fileOf = (text: string, name = "jobs.yaml") =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-jobs-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true })),
    );
    const path = join(directory, name);
    yield* Effect.promise(() => writeFile(path, text));
    return { directory, path };
  });

const load = (text: string, env: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const { directory, path } = yield* fileOf(text);
    const result = yield* Effect.result(loadJobsFile(path)).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
    );
    return { directory, path, result };
  }).pipe(Effect.scoped);

/** What is wrong with this text, without the file's name. */
const problemsOf = (text: string, env: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const { path, result } = yield* load(text, env);
    assert.isTrue(Result.isFailure(result), "the file was taken");
    return Result.isFailure(result) ? result.failure.problems.map((line) => line.replace(path, "F")) : [];
  });

const good = (id: string, destination = "{ kind: file, path: out }") => `- id: ${id}
  customer: acme
  dataset: http_requests
  destination: ${destination}
`;

const entry = (i: number, path: string) => ({
  id: `j${i}`,
  customer: "acme",
  dataset: "http_requests",
  destination: { kind: "file", path },
});

describe("a jobs file", () => {
  it.effect("is a list or an object with the list jobs, in YAML or JSON, with defaults filled in", () =>
    Effect.gen(function* () {
      const inner = good("a").replaceAll(/^/gm, "  ");
      const json = JSON.stringify({
        jobs: [{ id: "a", customer: "acme", dataset: "http_requests", destination: { kind: "file", path: "out" } }],
      });
      for (const text of [good("a"), `jobs:\n${inner}`, json]) {
        const { directory, result } = yield* load(text);
        assert.deepStrictEqual(Result.getOrThrow(result) as unknown, [
          {
            id: "a",
            customer: "acme",
            dataset: "http_requests",
            enabled: true,
            destination: { kind: "file", path: join(directory, "out") },
            batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
          },
        ]);
      }
    }),
  );

  it.effect("keeps the batch settings that are given and fills in the others", () =>
    Effect.gen(function* () {
      const { result } = yield* load(`${good("a")}  enabled: false\n  batch: { maxRecords: 2000 }\n`);
      const [job] = Result.getOrThrow(result);
      assert.deepStrictEqual(job?.batch, { maxBytes: 5_000_000, maxRecords: 2_000, maxIntervalSeconds: 30 });
      assert.isFalse(job?.enabled);
    }),
  );

  const wrong: ReadonlyArray<readonly [string, string, ReadonlyArray<string>]> = [
    [
      "a value out of its bounds",
      `${good("a")}  batch:\n    maxBytes: 7\n`,
      ["F:6:15: [0].batch.maxBytes: must be between 1000000 and 100000000, got 7"],
    ],
    [
      "several values of several jobs, in the order of the text",
      `jobs:\n  - id: _a\n    customer: a.b\n    dataset: d\n    enabled: "yes"\n    destination: { kind: file, path: x }\n  - id: b\n    dataset: d\n    destination: { kind: file, path: x }\n`,
      [
        "F:2:9: jobs[0].id: must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_', got \"_a\"",
        "F:3:15: jobs[0].customer: must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_', got \"a.b\"",
        'F:5:14: jobs[0].enabled: must be a boolean, got "yes"',
        "F:7:5: jobs[1].customer: is missing",
      ],
    ],
    [
      "a key that is not known",
      `${good("a")}  batch:\n    maxByte: 1000000\n`,
      ["F:6:5: [0].batch.maxByte: is not a known key: did you mean maxBytes?"],
    ],
    [
      "a key at the top that is not known",
      `job: []\n`,
      ["F:1:1: job: is not a known key: only jobs is", "F:1:1: jobs: is missing"],
    ],
    [
      "another kind of destination",
      good("a", "{ kind: ftp, path: x }"),
      ['F:4:24: [0].destination.kind: must be one of "file", "http", "s3", got "ftp"'],
    ],
    [
      "a destination without a kind",
      good("a", "{ path: x }"),
      ['F:4:16: [0].destination.kind: is missing: one of "file", "http", "s3"'],
    ],
    [
      "a setting of another kind",
      good("a", "{ kind: http, url: 'https://h/', bucket: x }"),
      ["F:4:49: [0].destination.bucket: is not a known key: known are kind, url, headers, timeoutSeconds"],
    ],
    [
      "a URL that is none",
      good("a", "{ kind: http, url: hooks.example/secret }"),
      ["F:4:35: [0].destination.url: must be a URL that begins with http:// or https://"],
    ],
    [
      "the same id twice",
      good("a") + good("b") + good("a"),
      ['F:9:7: [2].id: is the id of [0] too: ids must be unique, got "a"'],
    ],
    ["the same key twice", `${good("a")}  id: b\n`, ["F:5:3: is not valid YAML or JSON: this key is there twice"]],
    [
      "a variable that is not set",
      good("a", "{ kind: http, url: 'https://h/', headers: { X: '${NO_SUCH}' } }"),
      ["F:4:63: [0].destination.headers.X: needs the environment variable NO_SUCH, which is not set"],
    ],
    ["a text that is no list", "hello\n", ["F:1:1: must be a list of jobs, or an object with the list jobs"]],
    ["an empty file", "", ["F:1:1: must be a list of jobs, or an object with the list jobs"]],
    ["a job that is none", "- 4\n", ["F:1:3: [0]: must be an object, got a number"]],
    [
      "an unclosed bracket",
      "[\n  {",
      ["F:2:4: is not valid YAML or JSON: a character is missing, such as a quote, a bracket, a comma or a colon"],
    ],
  ];
  for (const [name, text, expected] of wrong) {
    it.effect(`names the line of ${name}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* problemsOf(text), expected);
      }),
    );
  }

  it.effect("takes secrets from the environment, in destinations only", () =>
    Effect.gen(function* () {
      const destination = "{ kind: http, url: 'https://h/', headers: { A: 'Bearer ${TOKEN}', B: '$${TOKEN}' } }";
      const { result } = yield* load(good("a", destination), { TOKEN: "t0ps3cret" });
      const [job] = Result.getOrThrow(result);
      assert.deepStrictEqual(job?.destination.kind === "http" ? job.destination.headers : undefined, {
        A: "Bearer t0ps3cret",
        B: "${TOKEN}",
      });
      const problems = yield* problemsOf(good("${TOKEN}"), { TOKEN: "t0ps3cret" });
      assert.include(problems.join("\n"), "[0].id");
      assert.notInclude(problems.join("\n"), "t0ps3cret");
    }),
  );

  it.effect("never quotes what may be a secret", () =>
    Effect.gen(function* () {
      const canary = "CANARY5up3r";
      const texts = [
        good("a", canary),
        good("a", `{ kind: http, url: "${canary}" }`),
        good("a", `{ kind: http, url: ["${canary}"] }`),
        good("a", `{ kind: http, url: "https://h/", headers: "${canary}" }`),
        good("a", `{ kind: http, url: "https://h/", headers: { X: ["${canary}"] } }`),
        good(
          "a",
          `{ kind: s3, endpoint: ${canary}, region: 3, bucket: b, accessKeyId: [${canary}], secretAccessKey: { a: ${canary} } }`,
        ),
        good("a", `{ kind: s3, endpoint: "https://h", secretKey: ${canary}, sessionToken: [${canary}] }`),
        good("a", `{ kind: http, url: "${canary}" "x }`),
        good("a", `{ kind: http, url: *${canary} }`),
        good("a", `{ kind: http, url: "\\q${canary}" }`),
        good("a", `!!${canary} x`),
        good("a", `{ kind: "\${S}", path: "\${S}" }`),
        good("a", `{ kind: file, path: "\${S}", timeoutSeconds: 3 }`),
        canary,
      ];
      for (const text of texts) {
        const lines = (yield* problemsOf(text, { S: canary })).join("\n");
        assert.notInclude(lines, canary, text);
      }
    }),
  );

  it.effect("is shown by a shipped example, which loads", () =>
    Effect.gen(function* () {
      const env = { GLOBEX_TOKEN: "t", INITECH_ACCESS_KEY_ID: "i", INITECH_SECRET_ACCESS_KEY: "s" };
      const path = fileURLToPath(new URL("../../config/jobs.example.yaml", import.meta.url));
      const jobs = yield* loadJobsFile(path).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
      );
      assert.deepStrictEqual(
        jobs.map(({ destination }) => destination.kind),
        ["file", "http", "s3"],
      );
    }),
  );

  it.effect("of many megabytes is read fast, and names lines all the same", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 10_000 }, (_, i) => entry(i, "x".repeat(100)));
      const { result } = yield* load(`[\n${many.map((each) => JSON.stringify(each)).join(",\n")}\n]`);
      assert.lengthOf(Result.getOrThrow(result), 10_000);
      const broken = [...many.slice(0, 9_000), { ...entry(9_000, "x"), customer: 3 }, ...many.slice(9_001)];
      assert.deepStrictEqual(yield* problemsOf(`[\n${broken.map((each) => JSON.stringify(each)).join(",\n")}\n]`), [
        "F:9002:26: [9000].customer: must be a string, got 3",
      ]);
    }),
  );

  it.effect("that is not there, or is a directory, is said so", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(loadJobsFile("/no/such/file.yaml"));
      assert.strictEqual(missing.message, "/no/such/file.yaml: there is no such file");
      const folder = yield* Effect.flip(loadJobsFile(tmpdir()));
      assert.strictEqual(folder.message, `${tmpdir()}: is a directory, not a file`);
    }),
  );
});
