import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit } from "effect";
import { request } from "node:http";
import { aJob, echoIngest, FakeNode, startApi } from "./fake-node.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>;
  readonly text: string;
  readonly json: any;
}

const ask = (
  base: string,
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly body?: string } = {},
) =>
  Effect.promise(
    () =>
      new Promise<Answer>((resolve, reject) => {
        const url = new URL(base);
        const sent = request(
          { host: url.hostname, port: url.port, method, path, agent: false, headers: options.headers ?? {} },
          (response) => {
            const parts: Array<Buffer> = [];
            response.on("data", (part: Buffer) => parts.push(part));
            response.on("end", () => {
              const text = Buffer.concat(parts).toString();
              const isJson = response.headers["content-type"]?.includes("json") === true;
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                text,
                json: isJson || text.startsWith("{") ? JSON.parse(text) : undefined,
              });
            });
          },
        );
        sent.on("error", reject);
        sent.end(options.body);
      }),
  );

const put = (base: string, body: unknown, headers: Record<string, string> = {}, id = "job-1") =>
  ask(base, "PUT", `/v1/jobs/${id}`, { body: JSON.stringify(body), headers });

describe("listening", () => {
  it.effect("refuses an address that others can reach without a token, and says what to do", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(startApi(new FakeNode(), { host: "0.0.0.0" }));
      assert.strictEqual(error.reason, "token-required");
      assert.include(error.message, "SPILLWAY_TOKEN");
    }),
  );

  it.effect("names a port that is taken", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      const { serveApi } = yield* Effect.promise(() => import("../../src/api/server.ts"));
      const error = yield* Effect.flip(
        serveApi({ host: "127.0.0.1", port: Number(new URL(url).port), token: undefined, ingest: undefined }).pipe(
          Effect.provide(new FakeNode().layer),
        ),
      );
      assert.strictEqual(error.reason, "address-in-use");
    }),
  );

  it.effect("takes no new connection after stopAccepting", () =>
    Effect.gen(function* () {
      const { url, stopAccepting } = yield* startApi(new FakeNode());
      assert.strictEqual((yield* ask(url, "GET", "/healthz")).status, 200);
      yield* stopAccepting;
      const refused = yield* Effect.exit(ask(url, "GET", "/healthz"));
      assert.isTrue(Exit.isFailure(refused));
    }),
  );
});

describe("access", () => {
  const closed = ["/v1/jobs", "/v1/books", "/v1/limits", "/v1/version", "/metrics", "/openapi.json", "/nothing"];

  it.effect("asks for the token everywhere but on /healthz and /readyz", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode(), { token: "correct horse", ingest: echoIngest });
      for (const path of ["/healthz", "/readyz"]) assert.strictEqual((yield* ask(url, "GET", path)).status, 200);
      for (const path of closed) {
        const refused = yield* ask(url, "GET", path);
        assert.strictEqual(refused.status, 401, path);
        assert.strictEqual(refused.json.error.code, "unauthorized");
        assert.isDefined(refused.headers["www-authenticate"]);
      }
      assert.strictEqual((yield* ask(url, "POST", "/v1/ingest/d", { body: "{}" })).status, 401);
    }),
  );

  it.effect("takes the exact token only", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode(), { token: "s3cret", ingest: echoIngest });
      const table: ReadonlyArray<readonly [string, number]> = [
        ["Bearer s3cret", 200],
        ["bearer s3cret", 200],
        ["Bearer s3cre", 401],
        ["Bearer s3crett", 401],
        ["Bearer S3CRET", 401],
        ["Bearer ", 401],
        ["Basic s3cret", 401],
        ["s3cret", 401],
      ];
      for (const [authorization, status] of table) {
        const headers = { authorization };
        assert.strictEqual((yield* ask(url, "GET", "/v1/version", { headers })).status, status, authorization);
        assert.strictEqual((yield* ask(url, "POST", "/v1/ingest/d", { headers })).status, status, authorization);
      }
    }),
  );

  it.effect("refuses foreign hosts and origins on loopback, unless the token speaks for the caller", () =>
    Effect.gen(function* () {
      const open = yield* startApi(new FakeNode());
      const port = new URL(open.url).port;
      const table: ReadonlyArray<readonly [Record<string, string>, number]> = [
        [{ host: `localhost:${port}` }, 200],
        [{ host: `127.0.0.1:${port}` }, 200],
        [{ host: `[::1]:${port}` }, 200],
        [{ host: "rebound.example" }, 421],
        [{ host: "127.0.0.1.rebound.example" }, 421],
        [{ origin: "https://evil.example" }, 403],
        [{ origin: "null" }, 403],
        [{ host: `localhost:${port}`, origin: `http://localhost:${port}` }, 200],
      ];
      for (const [headers, status] of table) {
        assert.strictEqual(
          (yield* ask(open.url, "GET", "/v1/version", { headers })).status,
          status,
          JSON.stringify(headers),
        );
      }
      const guarded = yield* startApi(new FakeNode(), { token: "t" });
      const headers = { host: "spillway.example", authorization: "Bearer t" };
      assert.strictEqual((yield* ask(guarded.url, "GET", "/v1/version", { headers })).status, 200);
    }),
  );

  it.effect("refuses long URLs and oversized headers", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      assert.strictEqual((yield* ask(url, "GET", `/v1/jobs/${"x".repeat(3_000)}`)).status, 414);
      const headers = { "x-large": "x".repeat(20_000) };
      assert.strictEqual((yield* ask(url, "GET", "/healthz", { headers })).status, 431);
    }),
  );

  it.effect("refuses before the body when the client asks first", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode(), { token: "t", ingest: echoIngest });
      const headers = { expect: "100-continue" };
      assert.strictEqual((yield* ask(url, "POST", "/v1/ingest/d", { headers, body: "{}" })).status, 401);
      const answer = yield* ask(url, "POST", "/v1/ingest/d", {
        headers: { ...headers, authorization: "Bearer t" },
        body: "{}",
      });
      assert.deepStrictEqual(answer.json, { ingested: "d" });
    }),
  );
});

describe("routing", () => {
  it.effect("hands ingest requests to the forwarder raw", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode(), { ingest: echoIngest });
      const answer = yield* ask(url, "POST", "/v1/ingest/http_requests?x=1", { body: "{}\n" });
      assert.deepStrictEqual(answer.json, { ingested: "http_requests" });
    }),
  );

  it.effect("says so when this node has no forwarder", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      const answer = yield* ask(url, "POST", "/v1/ingest/d", { body: "{}\n" });
      assert.strictEqual(answer.status, 404);
      assert.strictEqual(answer.json.error.code, "no_forwarder");
    }),
  );

  it.effect("answers 404 for no such path and 405 with Allow for no such method", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode(), { ingest: echoIngest });
      const missing = yield* ask(url, "GET", "/v2/jobs");
      assert.strictEqual(missing.status, 404);
      assert.strictEqual(missing.json.error.code, "not_found");
      const table: ReadonlyArray<readonly [string, string, string]> = [
        ["POST", "/v1/jobs", "GET"],
        ["POST", "/v1/jobs/a", "GET, PUT, DELETE"],
        ["GET", "/v1/ingest/d", "POST"],
        ["DELETE", "/openapi.json", "GET"],
        ["PUT", "/healthz", "GET"],
      ];
      for (const [method, path, allow] of table) {
        const answer = yield* ask(url, method, path);
        assert.strictEqual(answer.status, 405, `${method} ${path}`);
        assert.strictEqual(answer.headers["allow"], allow);
        assert.strictEqual(answer.json.error.code, "method_not_allowed");
      }
    }),
  );

  it.effect("documents every route", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      const { json } = yield* ask(url, "GET", "/openapi.json");
      const listed = Object.entries<Record<string, unknown>>(json.paths).flatMap(([path, item]) =>
        Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
      );
      assert.deepStrictEqual(listed.toSorted(), [
        "DELETE /v1/dead-letters/{job}",
        "DELETE /v1/dead-letters/{job}/{sequence}/{index}",
        "DELETE /v1/drill/faults",
        "DELETE /v1/drill/faults/{name}",
        "DELETE /v1/jobs/{id}",
        "DELETE /v1/replays/{id}",
        "DELETE /v1/switches/{id}",
        "GET /healthz",
        "GET /metrics",
        "GET /readyz",
        "GET /v1/alerts",
        "GET /v1/audit",
        "GET /v1/audit/verdict",
        "GET /v1/books",
        "GET /v1/buffers",
        "GET /v1/buffers/{job}",
        "GET /v1/config/diff",
        "GET /v1/config/history",
        "GET /v1/config/plan",
        "GET /v1/config/status",
        "GET /v1/datasets",
        "GET /v1/dead-letters",
        "GET /v1/dead-letters/{job}/{sequence}/{index}",
        "GET /v1/drill",
        "GET /v1/hosts",
        "GET /v1/jobs",
        "GET /v1/jobs/{id}",
        "GET /v1/jobs/{id}/history",
        "GET /v1/limits",
        "GET /v1/receipts",
        "GET /v1/replays",
        "GET /v1/switches",
        "GET /v1/version",
        "POST /v1/buffers/{job}/quarantine",
        "POST /v1/buffers/{job}/resume",
        "POST /v1/buffers/{job}/skip",
        "POST /v1/config/apply",
        "POST /v1/config/freeze",
        "POST /v1/config/halt",
        "POST /v1/config/resume",
        "POST /v1/config/rollback",
        "POST /v1/config/unfreeze",
        "POST /v1/dead-letters/{job}/replay",
        "POST /v1/dead-letters/{job}/{sequence}/{index}/replay",
        "POST /v1/drill/faults",
        "POST /v1/drill/guards",
        "POST /v1/drill/marks",
        "POST /v1/ingest/{dataset}",
        "POST /v1/jobs/transactions",
        "POST /v1/jobs/{id}/replays",
        "POST /v1/jobs/{id}/restore",
        "POST /v1/switches",
        "PUT /v1/jobs/{id}",
      ]);
    }),
  );
});

describe("jobs", () => {
  it.effect("creates, reads, replaces and deletes by revision", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      const created = yield* put(url, aJob);
      assert.strictEqual(created.status, 201);
      assert.strictEqual(created.headers["etag"], '"1"');
      assert.strictEqual(created.json.job.id, "job-1");
      assert.strictEqual(created.json.change, "created");
      const read = yield* ask(url, "GET", "/v1/jobs/job-1");
      assert.strictEqual(read.status, 200);
      assert.strictEqual(read.headers["etag"], '"1"');
      assert.strictEqual(read.json.revision, 1);
      assert.strictEqual((yield* put(url, aJob, { "if-match": '"7"' })).status, 412);
      assert.strictEqual((yield* put(url, aJob, { "if-none-match": "*" })).status, 412);
      assert.strictEqual((yield* put(url, aJob, { "if-match": "7" })).status, 400);
      const same = yield* put(url, aJob);
      assert.deepStrictEqual([same.status, same.headers["etag"], same.json.change], [200, '"1"', "unchanged"]);
      const replaced = yield* put(url, { ...aJob, enabled: false }, { "if-match": '"1"' });
      assert.strictEqual(replaced.status, 200);
      assert.strictEqual(replaced.json.change, "updated");
      assert.strictEqual(replaced.headers["etag"], '"2"');
      const stale = yield* ask(url, "DELETE", "/v1/jobs/job-1", { headers: { "if-match": '"1"' } });
      assert.strictEqual(stale.status, 412);
      assert.strictEqual(stale.json.error.code, "revision_mismatch");
      assert.strictEqual((yield* ask(url, "DELETE", "/v1/jobs/job-1", { headers: { "if-match": '"2"' } })).status, 204);
      const gone = yield* ask(url, "GET", "/v1/jobs/job-1");
      assert.strictEqual(gone.status, 404);
      assert.strictEqual(gone.json.error.code, "job_not_found");
    }),
  );

  it.effect("names every problem of a job that does not decode", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      const invalid = yield* put(url, { dataset: "d" });
      assert.strictEqual(invalid.status, 400);
      assert.deepStrictEqual(invalid.json.error.problems, ["customer: must be a string"]);
      const other = yield* put(url, { ...aJob, id: "other" });
      assert.strictEqual(other.status, 400);
      const broken = yield* ask(url, "PUT", "/v1/jobs/job-1", { body: "{" });
      assert.strictEqual(broken.json.error.code, "invalid_json");
      const large = yield* ask(url, "PUT", "/v1/jobs/job-1", { body: `"${"x".repeat(1_100_000)}"` });
      assert.strictEqual(large.status, 413);
    }),
  );

  it.effect("pages the list in order of id", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      for (const id of ["c", "a", "b"]) yield* put(url, aJob, {}, id);
      const first = yield* ask(url, "GET", "/v1/jobs?limit=2");
      assert.deepStrictEqual(
        first.json.jobs.map((each: { job: { id: string } }) => each.job.id),
        ["a", "b"],
      );
      assert.strictEqual(first.json.next, "b");
      const second = yield* ask(url, "GET", "/v1/jobs?limit=2&after=b");
      assert.deepStrictEqual(
        second.json.jobs.map((each: { job: { id: string } }) => each.job.id),
        ["c"],
      );
      assert.isUndefined(second.json.next);
      const bad = yield* ask(url, "GET", "/v1/jobs?limit=0");
      assert.strictEqual(bad.status, 400);
      assert.strictEqual(bad.json.error.code, "bad_request");
    }),
  );

  it.effect("refuses a cursor that no page gave out, and says so", () =>
    Effect.gen(function* () {
      const { url } = yield* startApi(new FakeNode());
      for (const list of ["jobs", "books", "buffers"]) {
        for (const after of ["", "_mux", "a.b", "%00", "x".repeat(65)]) {
          const refused = yield* ask(url, "GET", `/v1/${list}?after=${after}`);
          assert.strictEqual(refused.status, 400, `${list} ${after}`);
          assert.strictEqual(refused.json.error.code, "bad_request");
          assert.include(refused.json.error.message, "after: must be the next of another page");
        }
        const tooMany = yield* ask(url, "GET", `/v1/${list}?limit=1001`);
        assert.strictEqual(tooMany.status, 400, list);
      }
    }),
  );
});

describe("the node", () => {
  it.effect("shows books, audit on demand, limits and versions", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const books = yield* ask(url, "GET", "/v1/books");
      assert.strictEqual(books.json.totals.books.accepted.records, 10);
      assert.isUndefined(books.json.audit);
      const audited = yield* ask(url, "GET", "/v1/books?audit=true");
      assert.strictEqual(audited.json.audit.jobs[0].difference.records, 0);
      assert.strictEqual((yield* ask(url, "GET", "/v1/books?audit=maybe")).status, 400);
      const limits = yield* ask(url, "GET", "/v1/limits");
      assert.deepStrictEqual(limits.json.limits, [{ name: "recordBytesMax", value: 1_048_576, unit: "bytes" }]);
      assert.strictEqual((yield* ask(url, "GET", "/v1/version")).json.natsServer, "2.15.1");
      node.down = true;
      const unavailable = yield* ask(url, "GET", "/v1/books");
      assert.strictEqual(unavailable.status, 503);
      assert.deepStrictEqual(unavailable.json, { error: { code: "unavailable", message: "NATS does not answer" } });
    }),
  );

  it.effect("pages the books, with the totals of all jobs in each page", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      node.bookedJobs = 1_203;
      const { url } = yield* startApi(node);
      const first = yield* ask(url, "GET", "/v1/books");
      assert.lengthOf(first.json.jobs, 1_000);
      const second = yield* ask(url, "GET", `/v1/books?limit=202&after=${first.json.next}`);
      assert.lengthOf(second.json.jobs, 202);
      const third = yield* ask(url, "GET", `/v1/books?after=${second.json.next}`);
      assert.lengthOf(third.json.jobs, 1);
      assert.notProperty(third.json, "next");
      const ids = [first, second, third].flatMap(({ json }) => json.jobs.map(({ job }: { job: string }) => job));
      assert.strictEqual(new Set(ids).size, 1_203);
      for (const { json } of [second, third]) assert.deepStrictEqual(json.totals, first.json.totals);
      const audited = yield* ask(url, "GET", `/v1/books?audit=true&after=${first.json.next}`);
      assert.strictEqual(audited.status, 400);
      assert.match(audited.json.error.message, /audit: comes with the first page/);
    }),
  );

  it.effect("is alive while it is not ready, and says what is missing", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      assert.strictEqual((yield* ask(url, "GET", "/readyz")).status, 200);
      node.ready = false;
      const answer = yield* ask(url, "GET", "/readyz");
      assert.strictEqual(answer.status, 503);
      assert.deepStrictEqual(answer.json.error.problems, ["nats: disconnected"]);
      assert.strictEqual((yield* ask(url, "GET", "/healthz")).status, 200);
    }),
  );

  it.effect("exports the books as Prometheus text without a customer or a job in it", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      node.unexplained = 2;
      const { url } = yield* startApi(node);
      const metrics = yield* ask(url, "GET", "/metrics");
      assert.strictEqual(metrics.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
      assert.match(metrics.text, /spillway_books_unexplained_records 2\n/);
      assert.match(metrics.text, /spillway_books_records\{account="accepted"\} 10\n/);
      assert.match(metrics.text, /spillway_door_records\{verdict="refused"\} 2\n/);
      assert.notInclude(metrics.text, "acme");
      assert.notInclude(metrics.text, "job-1");
    }),
  );
});
