import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { InvalidJob } from "../../src/api/ports.ts";
import { aJob, FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

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

describe("spillway jobs put", () => {
  it.live("puts a file all or none, says before what it would do, and removes in the same transaction", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const run = (args: ReadonlyArray<string>, stdin: string) =>
        runSpillway(["jobs", "put", "-", ...args, "--url", url], { cwd: "/tmp", stdin });
      const dry = yield* run(["--dry-run"], jobsYaml);
      assert.strictEqual(dry.code, 0, dry.stderr);
      assert.strictEqual(
        dry.stdout,
        "would be created: acme-http\nwould be created: globex-http\n2 created (dry run, nothing was written)\n",
      );
      assert.strictEqual(node.jobs.size, 0);
      yield* run([], jobsYaml);
      const renamed = jobsYaml.replace("id: globex-http", "id: globex-new");
      const put = yield* run(["--remove", "globex-http", "--json"], renamed);
      assert.deepStrictEqual(
        JSON.parse(put.stdout).jobs.map(({ change, id }: { readonly change: string; readonly id: string }) => [
          id,
          change,
        ]),
        [
          ["acme-http", "unchanged"],
          ["globex-new", "created"],
          ["globex-http", "removed"],
        ],
      );
      assert.deepStrictEqual([...node.jobs.keys()].toSorted(), ["acme-http", "globex-new"]);
    }),
  );

  it.live("tells which job of a file the node refuses, and that none was stored", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const put = node.put.bind(node);
      node.put = (id, input, expected) =>
        id === "globex-http"
          ? Effect.fail(new InvalidJob({ problems: ["destination: 127.0.0.1 is a private address"] }))
          : put(id, input, expected);
      const ran = yield* runSpillway(["jobs", "put", "-", "--url", url], { stdin: jobsYaml });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /nothing was stored: .*\n +globex-http: destination: 127\.0\.0\.1 is a private address/);
      assert.strictEqual(ran.stdout, "");
      assert.strictEqual(node.jobs.size, 0);
    }),
  );

  it.live("refuses a file that is larger than a transaction, with the numbers and what to do", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const jobs = Array.from({ length: 1_001 }, (_, i) => ({ ...aJob, id: `job-${i}` }));
      const run = (stdin: string) => runSpillway(["jobs", "put", "-", "--url", url], { stdin });
      const ran = yield* run(JSON.stringify(jobs));
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /1,001 changes are more than one transaction takes \(1,000\).* Split the file/);
      assert.strictEqual(node.audit.notes.length, 0, "nothing was sent");
      const most = yield* run(JSON.stringify(jobs.slice(1)));
      assert.strictEqual(most.code, 0, most.stderr);
      assert.match(most.stdout, /\n1,000 created \(in one transaction\)\n$/);
    }),
  );
});
