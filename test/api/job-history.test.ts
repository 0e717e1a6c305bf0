import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import type { JobRevisionReport } from "../../src/api/job-history-reports.ts";
import { batchDefaults, type PushJob } from "../../src/domain/push-job.ts";
import { runSpillway } from "../cli/run-spillway.ts";
import { aJob, FakeNode, startApi } from "./fake-node.ts";

const job = { id: "job-1", ...aJob, batch: batchDefaults } as unknown as PushJob;
const revisions: ReadonlyArray<JobRevisionReport> = [
  { revision: 9, millis: 3_000, change: "removed", who: "bob@there", why: "moved away", differs: [] },
  { revision: 7, millis: 2_000, change: "updated", who: "ann@here", why: "", differs: ["batch", "destination"], job },
  { revision: 4, millis: 1_000, change: "created", who: "", why: "", differs: [], job },
];

/** A node that remembers a job which was deleted. */
const start = Effect.gen(function* () {
  const node = new FakeNode();
  node.revisions.set("job-1", revisions);
  return { node, ...(yield* startApi(node)) };
});

const restore = (url: string, path: string, headers: Record<string, string> = {}) =>
  Effect.promise(() => fetch(`${url}/v1/jobs/${path}`, { method: "POST", headers }));

describe("the history of a push job", () => {
  it.live("is told by the API, also of a deleted one; of one that never was, 404", () =>
    Effect.gen(function* () {
      const { url } = yield* start;
      const told = yield* Effect.promise(() => fetch(`${url}/v1/jobs/job-1/history`).then((answer) => answer.json()));
      assert.deepStrictEqual(told, { id: "job-1", revisions });
      const none = yield* Effect.promise(() => fetch(`${url}/v1/jobs/job-2/history`));
      assert.strictEqual(none.status, 404);
    }),
  );

  it.live("is shown by the command line, and what it does not know is unknown", () =>
    Effect.gen(function* () {
      const { url } = yield* start;
      const { code, stderr, stdout } = yield* runSpillway(["jobs", "history", "job-1", "--url", url]);
      assert.strictEqual(code, 0, stderr);
      assert.match(stdout, /9 +1970\S+03\.000Z +removed +bob@there +moved away/);
      assert.match(stdout, /7 +1970\S+02\.000Z +updated: batch, destination +ann@here +-/);
      assert.match(stdout, /4 +1970\S+01\.000Z +created +unknown +-/);
      const json = yield* runSpillway(["jobs", "history", "job-1", "--json", "--url", url]);
      assert.deepStrictEqual(JSON.parse(json.stdout), { id: "job-1", revisions });
    }),
  );
});

describe("a deleted push job", () => {
  it.live("is brought back, once", () =>
    Effect.gen(function* () {
      const { node, url } = yield* start;
      const done = yield* restore(url, "job-1/restore");
      assert.deepStrictEqual([done.status, done.headers.get("etag")], [200, `"${node.jobs.get("job-1")!.revision}"`]);
      assert.strictEqual((yield* restore(url, "job-1/restore")).status, 409);
      assert.strictEqual((yield* restore(url, "job-1/restore?revision=4")).status, 200);
      assert.strictEqual((yield* restore(url, "job-1/restore?revision=5")).status, 409);
      assert.strictEqual((yield* restore(url, "job-1/restore?revision=x")).status, 400);
      assert.strictEqual((yield* restore(url, "job-1/restore?revision=4", { "if-match": '"3"' })).status, 412);
      assert.strictEqual((yield* restore(url, "job-2/restore")).status, 404);
    }),
  );

  it.live("is brought back by the command that its deletion names", () =>
    Effect.gen(function* () {
      const { node, url } = yield* start;
      node.jobs.set("job-1", { job, revision: 8 });
      const gone = yield* runSpillway(["jobs", "delete", "job-1", "--url", url]);
      assert.include(gone.stdout, "spillway jobs restore job-1");
      const back = yield* runSpillway(["jobs", "restore", "job-1", "--url", url]);
      assert.strictEqual(back.code, 0, back.stderr);
      assert.match(back.stdout, /job-1 is back, enabled, as revision \d+/);
      const again = yield* runSpillway(["jobs", "restore", "job-1", "--url", url]);
      assert.strictEqual(again.code, 1);
      assert.include(again.stderr, "It is there.");
    }),
  );
});
