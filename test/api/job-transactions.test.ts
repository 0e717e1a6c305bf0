import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { aJob, FakeNode, startApi } from "./fake-node.ts";

const start = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  const change = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}/v1/jobs/transactions`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return { status: response.status, json: (await response.json()) as any };
    });
  return { change, node };
});

const put = (id: string, changes: object = {}) => ({ put: { id, ...aJob, ...changes } });

describe("POST /v1/jobs/transactions", () => {
  it.effect("answers for each job what became of it", () =>
    Effect.gen(function* () {
      const { change, node } = yield* start;
      const first = yield* change({ changes: [put("a"), put("b")] });
      assert.strictEqual(first.status, 200);
      assert.deepStrictEqual(first.json, {
        changes: [
          { id: "a", change: "created", revision: 1 },
          { id: "b", change: "created", revision: 2 },
        ],
        dryRun: false,
      });
      const second = yield* change({ changes: [put("a"), { remove: "b" }, { remove: "c" }] });
      assert.deepStrictEqual(
        second.json.changes.map((each: { readonly change: string }) => each.change),
        ["unchanged", "removed", "unchanged"],
      );
      assert.deepStrictEqual([...node.jobs.keys()], ["a"]);
    }).pipe(Effect.scoped),
  );

  it.effect("says in a dry run what would change, and neither does nor notes it", () =>
    Effect.gen(function* () {
      const { change, node } = yield* start;
      const dry = yield* change({ changes: [put("a")], dryRun: true });
      assert.deepStrictEqual([dry.status, dry.json.dryRun, dry.json.changes[0].change], [200, true, "created"]);
      assert.strictEqual(node.jobs.size, 0);
      assert.notInclude(
        node.audit.notes.map(({ what }) => what),
        "change push jobs",
      );
    }).pipe(Effect.scoped),
  );

  it.effect("tells what is invalid with its index (400), and what is stale (409)", () =>
    Effect.gen(function* () {
      const { change, node } = yield* start;
      const invalid = yield* change({ changes: [put("a"), put("b", { customer: 7 })] });
      assert.deepStrictEqual([invalid.status, invalid.json.error.code], [400, "invalid_transaction"]);
      assert.deepStrictEqual(invalid.json.error.problems, ["changes[1].put.customer: must be a string"]);
      assert.match(invalid.json.error.message, /^Nothing was stored/);
      assert.strictEqual(node.jobs.size, 0);
      yield* change({ changes: [put("a")] });
      const stale = yield* change({ changes: [put("b"), { ...put("a"), ifRevision: 7 }] });
      assert.deepStrictEqual([stale.status, stale.json.error.code], [409, "revision_mismatch"]);
      assert.deepStrictEqual(stale.json.error.problems, ["changes[1]: Job a is at 1."]);
      assert.deepStrictEqual([...node.jobs.keys()], ["a"]);
      assert.strictEqual((yield* change("{")).json.error.code, "invalid_json");
      const large = yield* change(`"${"x".repeat(1_100_000)}"`);
      assert.strictEqual(large.status, 413);
      assert.match(large.json.error.message, /^A transaction must not exceed/);
    }).pipe(Effect.scoped),
  );

  it.effect("is noted with the ids before it is done, and not done when it cannot be noted", () =>
    Effect.gen(function* () {
      const { change, node } = yield* start;
      const who = { "spillway-actor": "ada@desk", "spillway-reason": "ticket 7" };
      yield* change({ changes: [put("a"), put("b"), { remove: "c" }], reason: "new endpoint" }, who);
      assert.deepStrictEqual(
        node.audit.notes.map(({ detail, kind, what, who: by, why }) => [kind, by, what, why, detail]),
        [
          ["request.asked", "ada@desk", "POST /v1/jobs/transactions", "ticket 7", ""],
          ["request.asked", "ada@desk", "change push jobs", "new endpoint", "put a, b; remove c"],
          ["request.answered", "ada@desk", "POST /v1/jobs/transactions", "ticket 7", "asked in 1: status 200"],
        ],
      );
      node.audit.failsFrom = node.audit.notes.length + 1;
      const refused = yield* change({ changes: [put("d")] });
      assert.strictEqual(refused.status, 503);
      assert.isFalse(node.jobs.has("d"));
    }).pipe(Effect.scoped),
  );
});
