import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { aJob, FakeNode, startApi } from "./fake-node.ts";

const start = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  const ask = (method: string, path: string, headers: Readonly<Record<string, string>> = {}, body?: unknown) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, json: (await response.json().catch(() => undefined)) as any };
    });
  return { ask, node };
});

describe("the audit log of the API", () => {
  it.effect("notes each change before it is made, and with its answer", () =>
    Effect.gen(function* () {
      const { ask, node } = yield* start;
      const who = { "spillway-actor": "ada@desk", "spillway-reason": "ticket 7" };
      assert.strictEqual((yield* ask("PUT", "/v1/jobs/a", who, aJob)).status, 201);
      assert.strictEqual((yield* ask("DELETE", "/v1/jobs/nobody")).status, 404);
      assert.deepStrictEqual(
        node.audit.notes.map(({ detail, kind, what, who: by, why }) => [kind, by, what, why, detail]),
        [
          ["request.asked", "ada@desk", "PUT /v1/jobs/a", "ticket 7", ""],
          ["request.answered", "ada@desk", "PUT /v1/jobs/a", "ticket 7", "asked in 1: status 201, revision 1"],
          ["request.asked", "unnamed", "DELETE /v1/jobs/nobody", "", ""],
          ["request.answered", "unnamed", "DELETE /v1/jobs/nobody", "", "asked in 3: status 404"],
        ],
      );
    }).pipe(Effect.scoped),
  );

  it.effect("notes nothing of those who only look", () =>
    Effect.gen(function* () {
      const { ask, node } = yield* start;
      for (const path of ["/v1/jobs", "/v1/books", "/v1/audit", "/healthz", "/nothing"]) yield* ask("GET", path);
      assert.lengthOf(node.audit.notes, 0);
    }).pipe(Effect.scoped),
  );

  it.effect("refuses a change that it cannot note, and it is not made", () =>
    Effect.gen(function* () {
      const { ask, node } = yield* start;
      node.audit.down = true;
      const refused = yield* ask("PUT", "/v1/jobs/a", {}, aJob);
      assert.deepStrictEqual([refused.status, refused.json.error.code], [503, "not_audited"]);
      assert.strictEqual(node.jobs.size, 0);
    }).pipe(Effect.scoped),
  );

  it.effect("never holds what a body says, nor a header that goes on for ever or over several lines", () =>
    Effect.gen(function* () {
      const { ask, node } = yield* start;
      const secret = { ...aJob, destination: { kind: "http", url: "https://user:hunter2@example.com/" } };
      yield* ask("PUT", "/v1/jobs/a", { "spillway-reason": `x${"y".repeat(2_000)}` }, secret);
      const text = JSON.stringify(node.audit.notes);
      assert.notInclude(text, "hunter2");
      assert.isTrue(node.audit.notes.every(({ why }) => why.length <= 500));
    }).pipe(Effect.scoped),
  );

  it.effect("is listed in pages, and says whether it is whole", () =>
    Effect.gen(function* () {
      const { ask, node } = yield* start;
      for (let i = 0; i < 3; i++) yield* ask("DELETE", `/v1/jobs/n${i}`);
      const newest = yield* ask("GET", "/v1/audit?limit=2");
      assert.deepStrictEqual(
        newest.json.entries.map((each: { readonly number: number }) => each.number),
        [5, 6],
      );
      const page = yield* ask("GET", "/v1/audit?after=0&limit=4");
      assert.deepStrictEqual([page.json.entries.length, page.json.next], [4, 4]);
      assert.strictEqual((yield* ask("GET", "/v1/audit?limit=0")).status, 400);
      assert.deepInclude((yield* ask("GET", "/v1/audit/verdict")).json, { entries: 6, whole: true });
      assert.strictEqual(node.audit.notes.length, 6);
    }).pipe(Effect.scoped),
  );
});
