import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { CommandRefused } from "../../src/api/buffers-port.ts";
import { ApiUnavailable } from "../../src/api/ports.ts";
import { aBuffer } from "./fake-buffers.ts";
import { FakeNode, startApi } from "./fake-node.ts";

const open = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  const ask = (method: string, path: string, body?: unknown) =>
    Effect.promise(async () => {
      const answer = await fetch(`${url}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      return { status: answer.status, json: (await answer.json()) as any };
    });
  return { ask, buffers: node.buffers };
});

describe("/v1/buffers", () => {
  it.live("hands every filter on, and pages", () =>
    Effect.gen(function* () {
      const { ask, buffers } = yield* open;
      buffers.buffers = [aBuffer("a"), aBuffer("b", { delivery: "quarantined" }), aBuffer("c")];
      const first = yield* ask("GET", "/v1/buffers?limit=2");
      assert.deepStrictEqual(
        first.json.buffers.map(({ job }: { job: string }) => job),
        ["a", "b"],
      );
      assert.strictEqual(first.json.next, "b");
      assert.notProperty(first.json.buffers[0], "books", "a line of a list is not the whole account");
      const last = yield* ask("GET", "/v1/buffers?after=b");
      assert.notProperty(last.json, "next");
      yield* ask("GET", "/v1/buffers?state=quarantined&flow=overloaded&customer=acme");
      assert.deepStrictEqual(buffers.queries.at(-1), {
        state: "quarantined",
        flow: "overloaded",
        customer: "acme",
        limit: 1_000,
      });
      for (const query of ["state=sleeping", "limit=0", "limit=1001", "flow=idle"]) {
        assert.strictEqual((yield* ask("GET", `/v1/buffers?${query}`)).status, 400, query);
      }
    }),
  );

  it.live("shows one whole, and says where to look for one that is not here", () =>
    Effect.gen(function* () {
      const { ask, buffers } = yield* open;
      const evidence = { millis: 5, event: "e", error: "x", firstSequence: null, lastSequence: 9, crashes: 5 };
      buffers.buffers = [aBuffer("a", { evidence, part: { from: 3, to: 5 } })];
      const found = yield* ask("GET", "/v1/buffers/a");
      assert.deepStrictEqual(found.json, buffers.buffers[0]);
      const missing = yield* ask("GET", "/v1/buffers/nobody");
      assert.strictEqual(missing.status, 404);
      assert.strictEqual(missing.json.error.code, "buffer_not_found");
      assert.match(missing.json.error.message, /"nobody"\. Another node may own/);
    }),
  );

  it.live("takes commands, and answers each refusal with its status", () =>
    Effect.gen(function* () {
      const { ask, buffers } = yield* open;
      buffers.buffers = [aBuffer("a", { delivery: "suspended", backlogRecords: 7 })];
      const resumed = yield* ask("POST", "/v1/buffers/a/resume");
      assert.deepInclude(resumed.json, { before: "suspended", after: "pushing", skipped: null });
      yield* ask("POST", "/v1/buffers/a/quarantine");
      const skipped = yield* ask("POST", "/v1/buffers/a/skip", { to: "now" });
      assert.deepInclude(skipped.json.skipped, { records: 7, firstSequence: 13 });
      yield* ask("POST", "/v1/buffers/a/skip", { to: 17 });
      assert.deepStrictEqual(buffers.told, [
        { command: "resume", job: "a" },
        { command: "quarantine", job: "a" },
        { command: "skip", job: "a", to: "now" },
        { command: "skip", job: "a", to: 17 },
      ]);
      for (const body of [{}, { to: 0 }, { to: 1.5 }, { to: null }]) {
        assert.strictEqual((yield* ask("POST", "/v1/buffers/a/skip", body)).status, 400, JSON.stringify(body));
      }
      assert.strictEqual(buffers.told.length, 4);
      assert.strictEqual((yield* ask("POST", "/v1/buffers/nobody/resume")).status, 404);
      for (const [failure, status, code] of [
        [new CommandRefused({ code: "not_now", detail: "later" }), 409, "not_now"],
        [new CommandRefused({ code: "cannot_skip", detail: "settled" }), 409, "cannot_skip"],
        [new CommandRefused({ code: "invalid_skip", detail: "when?" }), 400, "invalid_skip"],
        [new ApiUnavailable({ detail: "no owner" }), 503, "unavailable"],
      ] as const) {
        buffers.failure = failure;
        const refused = yield* ask("POST", "/v1/buffers/a/skip", { to: "now" });
        assert.deepStrictEqual([refused.status, refused.json.error], [status, { code, message: failure.detail }]);
      }
    }),
  );
});
