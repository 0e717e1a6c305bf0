import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Effect, Redacted, Result } from "effect";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { inspect } from "node:util";
import { loadSettings, type SettingsSources } from "../../src/control/settings.ts";

const load = (sources: SettingsSources, env: Record<string, string> = {}) =>
  loadSettings(sources).pipe(Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })));

const problemsOf = (sources: SettingsSources, env: Record<string, string> = {}) =>
  Effect.flip(load(sources, env)).pipe(Effect.map(({ problems }) => problems));

const withFile = <A, E>(text: string, use: (path: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-settings-"))),
    (directory) => {
      const path = join(directory, "node.yaml");
      return Effect.promise(() => writeFile(path, text)).pipe(Effect.andThen(use(path)));
    },
    (directory) => Effect.promise(() => rm(directory, { recursive: true })),
  );

describe("settings", () => {
  it.effect("of development run everything in one process, with the shipped limits", () =>
    Effect.gen(function* () {
      const settings = yield* load({ profile: "development" });
      assert.deepStrictEqual(settings.listen, { host: "127.0.0.1", port: 8_080 });
      assert.isTrue(settings.embedded);
      assert.isTrue(settings.allowPrivateDestinations);
      assert.strictEqual(settings.partitions, 8);
      assert.strictEqual(settings.dataDirectory, resolve(".spillway"));
      assert.deepStrictEqual([...settings.roles], ["forwarder", "owner", "control"]);
      assert.strictEqual(settings.limits.jobsMax, 1_000_000);
      assert.isUndefined(settings.token);
    }),
  );

  it.effect("of production need NATS servers", () =>
    Effect.gen(function* () {
      const [problem] = yield* problemsOf({ profile: "production" });
      assert.match(problem ?? "", /^nats\.servers: is missing/);
      const settings = yield* load({ profile: "production", overrides: { nats: { servers: "n1:4222,n2:4222" } } });
      assert.isFalse(settings.embedded);
      assert.isFalse(settings.allowPrivateDestinations);
      assert.strictEqual(settings.nats.servers, "n1:4222,n2:4222");
      assert.strictEqual(settings.nats.replicas, 3);
    }),
  );

  it.effect("put the control address after the data address, unless somebody chooses it", () =>
    Effect.gen(function* () {
      const at = (listen: string, env: Record<string, string> = {}) =>
        Effect.map(load({ profile: "development", overrides: { listen } }, env), (settings) => settings.controlListen);
      assert.deepStrictEqual(yield* at("127.0.0.1:8080"), { host: "127.0.0.1", port: 8_081, derived: true });
      assert.deepStrictEqual(yield* at("127.0.0.1:0"), { host: "127.0.0.1", port: 0, derived: true });
      assert.deepStrictEqual(yield* at("127.0.0.1:65535"), { host: "127.0.0.1", port: 0, derived: true });
      const chosen = { SPILLWAY_CONTROL_LISTEN: "[::1]:9000" };
      assert.deepStrictEqual(yield* at("127.0.0.1:1", chosen), { host: "::1", port: 9_000, derived: false });
      const [unreadable] = yield* problemsOf({ profile: "development" }, { SPILLWAY_CONTROL_LISTEN: "9000" });
      assert.match(unreadable ?? "", /^controlListen: must be host:port/);
      const [open] = yield* problemsOf({ profile: "development", overrides: { controlListen: "0.0.0.0:9000" } });
      assert.match(open ?? "", /^controlListen: .*requires a token/);
    }),
  );

  it.effect("come from the file, then the environment, then the command line", () =>
    withFile("partitions: 16\nlisten: 127.0.0.1:1\nnodeName: file\nlimits: { drainMillisMax: 5 }\n", (configFile) =>
      Effect.gen(function* () {
        const env = { SPILLWAY_LISTEN: "127.0.0.1:2", SPILLWAY_NODE_NAME: "environment" };
        const settings = yield* load(
          { profile: "development", configFile, overrides: { listen: "127.0.0.1:3", limits: { jobsMax: 9 } } },
          env,
        );
        assert.strictEqual(settings.partitions, 16);
        assert.strictEqual(settings.nodeName, "environment");
        assert.strictEqual(settings.listen.port, 3);
        assert.strictEqual(settings.limits.drainMillisMax, 5);
        assert.strictEqual(settings.limits.jobsMax, 9);
        assert.strictEqual(settings.limits.chunkRecordsMax, 1_000);
      }),
    ),
  );

  it.effect("of a file are wrong at a line and a column", () =>
    withFile("embedded: 1\npartition: 3\nlimits:\n  jobsMx: 3\n  jobsMax: 0\nroles: []\n", (configFile) =>
      Effect.gen(function* () {
        const problems = yield* problemsOf({ configFile });
        assert.deepStrictEqual(
          problems.map((line) => line.replace(configFile, "F")),
          [
            "F:1:11: embedded: must be a boolean, got 1",
            "F:2:1: partition: is not a known key: did you mean partitions?",
            "F:4:3: limits.jobsMx: is not a known key: did you mean jobsMax?",
            "F:5:12: limits.jobsMax: must be greater than or equal to 1, got 0",
            "F:6:8: roles[0]: is missing",
          ],
        );
      }),
    ),
  );

  it.effect("refuse limits that contradict each other, all of them at once", () =>
    Effect.gen(function* () {
      const overrides = { limits: { bufferWindowBytesMax: 2 ** 30, retryBaseMillis: 100_000 } };
      const problems = yield* problemsOf({ profile: "development", overrides });
      assert.lengthOf(problems, 2);
      assert.match(problems.join("\n"), /bufferWindowBytesMax .* must not exceed windowBytesMax/);
      assert.match(problems.join("\n"), /retryBaseMillis .* must not exceed retryMillisMax/);
    }),
  );

  it.effect.each([
    ["127.0.0.1:0", true],
    ["127.9.9.9:80", true],
    ["[::1]:8080", true],
    ["localhost:8080", true],
    ["0.0.0.0:8080", false],
    ["[::]:8080", false],
    ["10.0.0.1:8080", false],
    ["spillway.example:8080", false],
  ] as const)("listening on %s needs no token: %s", ([listen, free]) =>
    Effect.gen(function* () {
      const sources: SettingsSources = { profile: "development", overrides: { listen } };
      const without = yield* Effect.result(load(sources));
      assert.strictEqual(Result.isSuccess(without), free);
      if (Result.isFailure(without)) assert.match(without.failure.message, /SPILLWAY_TOKEN/);
      assert.isTrue(Result.isSuccess(yield* Effect.result(load(sources, { SPILLWAY_TOKEN: "t" }))));
    }),
  );

  it.effect.each(["8080", ":8080", "127.0.0.1", "127.0.0.1:99999", "http://h:1"])("cannot listen on %j", (listen) =>
    Effect.gen(function* () {
      assert.match((yield* problemsOf({ profile: "development", overrides: { listen } })).join(), /^listen: must be/);
    }),
  );

  it.effect("keep tokens wrapped, and quote no server address", () =>
    Effect.gen(function* () {
      const env = { SPILLWAY_TOKEN: "CANARY", SPILLWAY_NATS_TOKEN: "CANARY" };
      const settings = yield* load({ profile: "development" }, env);
      assert.notInclude(JSON.stringify(settings) + inspect(settings, { depth: 9 }), "CANARY");
      assert.strictEqual(settings.token && Redacted.value(settings.token), "CANARY");
      const problems = yield* problemsOf({ overrides: { nats: { servers: ["nats://u:CANARY@h"] } } as never });
      assert.notInclude(problems.join(), "CANARY");
    }),
  );

  it.effect("treat the alert webhook as a credential, and check it without quoting it", () =>
    Effect.gen(function* () {
      const webhook = (url: string) =>
        Effect.result(load({ profile: "development" }, { SPILLWAY_ALERT_WEBHOOK_URL: url }));
      const settings = yield* webhook("https://hooks.example/CANARY");
      assert.isTrue(Result.isSuccess(settings));
      assert.notInclude(JSON.stringify(settings) + inspect(settings, { depth: 9 }), "CANARY");
      for (const url of ["CANARY", "ftp://hooks.example/CANARY", "https://u:CANARY@hooks.example/"]) {
        const refused = yield* webhook(url);
        if (!Result.isFailure(refused)) return assert.fail(url);
        assert.match(refused.failure.message, /^SPILLWAY_ALERT_WEBHOOK_URL: must be/);
        assert.notInclude(refused.failure.message, "CANARY");
      }
    }),
  );

  it.effect("of the environment are checked too", () =>
    Effect.gen(function* () {
      const [range] = yield* problemsOf({ profile: "development" }, { SPILLWAY_PARTITIONS: "0" });
      assert.match(range ?? "", /^environment SPILLWAY_\*: partitions: must be between 1 and 999, got 0/);
      assert.lengthOf(yield* problemsOf({ profile: "development" }, { SPILLWAY_PARTITIONS: "many" }), 1);
    }),
  );
});
