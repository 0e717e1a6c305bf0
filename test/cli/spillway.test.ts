import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { aJob, FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const nowhere = { env: { SPILLWAY_URL: "http://127.0.0.1:9" } };

describe("spillway", () => {
  it.live("prints help and versions to stdout with exit code 0", () =>
    Effect.gen(function* () {
      const help = yield* runSpillway(["--help"]);
      assert.strictEqual(help.code, 0);
      for (const command of [
        "dev",
        "serve",
        "send",
        "jobs",
        "books",
        "dead-letters",
        "replay",
        "replays",
        "inspect",
        "limits",
        "version",
      ]) {
        assert.match(help.stdout, new RegExp(`^ {2}${command} `, "m"));
      }
      const version = yield* runSpillway(["--version"]);
      assert.match(version.stdout, /^spillway \d+\.\d+\.\d+\n$/);
      const json = yield* runSpillway(["version", "--json"]);
      assert.strictEqual(JSON.parse(json.stdout).spillway, version.stdout.trim().split(" ")[1]);
    }),
  );

  it.live("ends with 2 and a hint when it is asked wrongly", () =>
    Effect.gen(function* () {
      const table: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [["bokks"], /Unknown subcommand "bokks"[\s\S]*books[\s\S]*Try `spillway --help`/],
        [["send", "x"], /--dataset[\s\S]*Try `spillway send --help`/],
        [["books", "--nope"], /--nope/],
        [["send", "x", "--dataset", "d", "--in-flight", "1000"], /in-flight/],
        [["send", "x", "--dataset", "d", "--customer", "a", "--customer-field", "b"], /not both/],
        [["books", "--url", "nonsense"], /--url must be like/],
      ];
      for (const [args, pattern] of table) {
        const ran = yield* runSpillway(args);
        assert.strictEqual(ran.code, 2, args.join(" "));
        assert.match(ran.stderr, pattern);
        assert.strictEqual(ran.stdout, "");
      }
    }),
  );

  it.live("says in one line that no node answers", () =>
    Effect.gen(function* () {
      const ran = yield* runSpillway(["books"], nowhere);
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /^spillway: cannot connect to \S+: is `spillway dev` running\?.*\n$/);
    }),
  );

  it.live("says how old an answer is that was known from before", () =>
    Effect.gen(function* () {
      const { limits } = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer((_, response) => {
            response.setHeader("spillway-as-of", "2026-11-23T08:00:00.000Z");
            response.end(JSON.stringify({ limits: [{ name: "recordBytesMax", value: 1 }] }));
          }).listen(0, "127.0.0.1");
          await once(server, "listening");
          return { server, limits: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
        }),
        ({ server }) => Effect.sync(() => server.close()),
      );
      const ran = yield* runSpillway(["limits", "--json"], { env: { SPILLWAY_CONTROL_URL: limits } });
      assert.strictEqual(ran.code, 0);
      assert.match(ran.stderr, /is busy: what follows was so at 2026-11-23T08:00:00.000Z/);
      assert.include(ran.stdout, "recordBytesMax");
    }),
  );

  it.live("asks for a token, and takes it from the environment", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode(), { token: "s3cret-token" });
      const env = { SPILLWAY_URL: url };
      const without = yield* runSpillway(["limits"], { env });
      assert.strictEqual(without.code, 1);
      assert.match(without.stderr, /set SPILLWAY_TOKEN/);
      const wrong = yield* runSpillway(["limits"], { env: { ...env, SPILLWAY_TOKEN: "wr0ng-token" } });
      assert.match(wrong.stderr, /check SPILLWAY_TOKEN/);
      assert.notInclude(wrong.stderr, "wr0ng-token");
      const right = yield* runSpillway(["limits"], { env: { ...env, SPILLWAY_TOKEN: "s3cret-token" } });
      assert.strictEqual(right.code, 0);
      assert.match(right.stdout, /recordBytesMax +1,048,576 +- +bytes +- +- +not known now\n/);
    }),
  );
});

describe("spillway books", () => {
  it.live("prints an aligned table, and ends with 1 when something is unexplained", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const balanced = yield* runSpillway(["books", "--url", url]);
      assert.strictEqual(balanced.code, 0, balanced.stderr);
      assert.match(balanced.stdout, /^job +state +accepted +delivered +pending +other +unexplained +lag\n/);
      assert.match(balanced.stdout, /\njob-1 +filling +10 +7 +3 +0 +0 +1\.5s\n/);
      assert.match(balanced.stdout, /\ntotal +10 +7 +3 +0 +0\n/);
      node.unexplained = 2;
      const unbalanced = yield* runSpillway(["books", "--url", url, "--json"]);
      assert.strictEqual(unbalanced.code, 1);
      assert.strictEqual(JSON.parse(unbalanced.stdout).totals.unexplained.records, 2);
      assert.match(unbalanced.stderr, /job-1 do not balance/);
    }),
  );

  it.live("prints the jobs of all pages, and one audit", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      node.bookedJobs = 2_001;
      const { url } = yield* startApi(node);
      const ran = yield* runSpillway(["books", "--url", url, "--audit", "--json"]);
      assert.strictEqual(ran.code, 0, ran.stderr);
      const { audit, jobs, next } = JSON.parse(ran.stdout);
      assert.strictEqual(new Set(jobs.map(({ job }: { job: string }) => job)).size, 2_001);
      assert.lengthOf(audit.jobs, 1);
      assert.isUndefined(next);
    }),
  );

  it.live("ends with 1 when the audit differs", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const agreeing = yield* runSpillway(["books", "--audit", "--url", url]);
      assert.strictEqual(agreeing.code, 0);
      assert.match(agreeing.stdout, /audit +recounted/);
      node.auditDifference = 5;
      const differing = yield* runSpillway(["books", "--audit", "--url", url]);
      assert.strictEqual(differing.code, 1);
      assert.match(differing.stderr, /differ/);
    }),
  );
});

const jobsYaml = `
jobs:
  - id: acme-http
    customer: acme
    dataset: http_requests
    destination: {kind: file, path: out/acme}
  - id: globex-http
    customer: globex
    dataset: http_requests
    destination: {kind: http, url: "http://127.0.0.1:9/"}
`;

describe("spillway jobs", () => {
  it.live("puts, lists, shows, disables, enables and deletes", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const run = (args: ReadonlyArray<string>, stdin?: string) =>
        runSpillway(["jobs", ...args, "--url", url], { cwd: "/tmp", ...(stdin === undefined ? {} : { stdin }) });
      const put = yield* run(["put", "-"], jobsYaml);
      assert.strictEqual(put.code, 0, put.stderr);
      assert.match(put.stdout, /created acme-http at revision 1\ncreated globex-http at revision 2/);
      assert.deepStrictEqual(node.jobs.get("acme-http")?.job.destination, { kind: "file", path: "/tmp/out/acme" });
      const list = yield* run(["list"]);
      assert.match(list.stdout, /acme-http +acme +http_requests +yes +file \/tmp\/out\/acme +1\n/);
      const disabled = yield* run(["disable", "acme-http"]);
      assert.strictEqual(disabled.code, 0, disabled.stderr);
      assert.isFalse(node.jobs.get("acme-http")?.job.enabled);
      yield* run(["enable", "acme-http"]);
      assert.isTrue(node.jobs.get("acme-http")?.job.enabled);
      const shown = yield* run(["get", "acme-http"]);
      assert.match(shown.stdout, /# revision 4\n[\s\S]*id: acme-http/);
      const again = yield* run(["put", "-"], shown.stdout);
      assert.match(again.stdout, /^unchanged acme-http at revision 4$/m);
      const changed = yield* run(
        ["put", "-"],
        shown.stdout.replace("maxIntervalSeconds: 30", "maxIntervalSeconds: 60"),
      );
      assert.match(changed.stdout, /^updated acme-http at revision 5$/m);
      const deleted = yield* run(["delete", "acme-http"]);
      assert.strictEqual(deleted.code, 0);
      const gone = yield* run(["get", "acme-http"]);
      assert.strictEqual(gone.code, 1);
      assert.match(gone.stderr, /no push job "acme-http"/);
    }),
  );

  it.live("points at the line of a job that is wrong, and stores nothing", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const wrong = jobsYaml.replace("kind: http", "kind: htp");
      const ran = yield* runSpillway(["jobs", "put", "-", "--url", url], { stdin: wrong });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /stdin:10:\d+: jobs\[1\]\.destination/);
      assert.strictEqual(node.jobs.size, 0);
    }),
  );

  it.live("tells what the node refuses", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      node.put = () => Effect.die("unexpected");
      const { url } = yield* startApi(node);
      const stdin = JSON.stringify({ ...aJob, id: "a" });
      const ran = yield* runSpillway(["jobs", "put", "-", "--url", url], { stdin });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /Something unexpected happened/);
      assert.notMatch(ran.stderr, /^ +at /m);
    }),
  );
});
