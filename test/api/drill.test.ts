import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { readFileSync } from "node:fs";
import { startControlThread } from "../../src/control-thread/control-thread.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { FakeNode, startApi } from "./fake-node.ts";

const { limits } = JSON.parse(readFileSync("config/default.json", "utf8")) as { readonly limits: Limits };

const ask = (url: string, method: string, body?: object) =>
  Effect.promise(async () => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(url, { method, ...init });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
  });

describe("/v1/drill", () => {
  it.live("refuses everything with 403 on a node that was not started for drills", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      for (const [method, path, body] of [
        ["GET", "/v1/drill", undefined],
        ["POST", "/v1/drill/faults", { name: "generator.empty" }],
        ["DELETE", "/v1/drill/faults/generator.empty", undefined],
        ["DELETE", "/v1/drill/faults", undefined],
        ["POST", "/v1/drill/guards", { name: "admission", on: false }],
      ] as const) {
        const answer = yield* ask(`${url}${path}`, method, body);
        assert.strictEqual(answer.status, 403, `${method} ${path}`);
        assert.strictEqual(answer.body.error.code, "not_in_drill");
        assert.include(answer.body.error.message, "SPILLWAY_DRILL=true");
      }
      assert.strictEqual(node.drill.faults.size, 0);
      // What was seen elsewhere may be noted: nothing is broken by it.
      const marked = yield* ask(`${url}/v1/drill/marks`, "POST", { drill: "x", limits: ["jobsMax"] });
      assert.strictEqual(marked.status, 204);
      assert.deepStrictEqual((yield* ask(`${url}/healthz`, "GET")).body, { status: "ok" });
    }),
  );

  it.live("arms, switches off and marks on one that was, and says so on /healthz", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      node.drill.enabled = true;
      const { url } = yield* startApi(node);
      assert.strictEqual((yield* ask(`${url}/v1/drill/faults`, "POST", { name: "generator.empty" })).status, 200);
      assert.strictEqual((yield* ask(`${url}/v1/drill/guards`, "POST", { name: "admission", on: false })).status, 200);
      assert.deepStrictEqual((yield* ask(`${url}/healthz`, "GET")).body, {
        status: "ok",
        drill: true,
        node: "fake",
        roles: ["forwarder"],
        faults: [{ name: "generator.empty", untilMillis: 1 }],
        guardsOff: [{ name: "admission", untilMillis: 1 }],
      });
      const marked = yield* ask(`${url}/v1/drill/marks`, "POST", { drill: "hot-customer", limits: ["jobsMax"] });
      assert.strictEqual(marked.status, 204);
      assert.deepStrictEqual(node.drill.marks, ["jobsMax"]);
      const unknown = yield* ask(`${url}/v1/drill/marks`, "POST", { drill: "hot-customer", limits: ["nothing"] });
      assert.strictEqual(unknown.status, 400);
      assert.strictEqual((yield* ask(`${url}/v1/drill/faults/generator.empty`, "DELETE")).status, 200);
      assert.strictEqual(node.drill.faults.size, 0);
    }),
  );

  it.live("takes no name that it does not know, and nothing that would last for ever", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      node.drill.enabled = true;
      const { url } = yield* startApi(node);
      for (const [path, body] of [
        ["/v1/drill/faults", { name: "generator.rm" }],
        ["/v1/drill/faults", { name: "generator.empty", seconds: 1_000_000 }],
        ["/v1/drill/guards", { name: "belief", on: false }],
      ] as const) {
        assert.strictEqual((yield* ask(`${url}${path}`, "POST", body)).status, 400, JSON.stringify(body));
      }
      assert.strictEqual(node.drill.faults.size + node.drill.guardsOff.size, 0);
    }),
  );
});

it.live("the control address tells of a drill too, as of the last change", () =>
  Effect.gen(function* () {
    const node = new FakeNode();
    const api = yield* startApi(node);
    let faults: ReadonlyArray<string> = [];
    const control = yield* startControlThread({
      host: "127.0.0.1",
      port: 0,
      orAnyPort: false,
      token: undefined,
      dataUrl: api.url,
      limits,
      answer: api.answer,
      health: () => ({ drill: true, faults }),
    });
    assert.deepStrictEqual((yield* ask(`${control.url}/healthz`, "GET")).body, {
      status: "ok",
      drill: true,
      faults: [],
    });
    faults = ["generator.empty"];
    control.healthChanged();
    // The message overtakes nothing: the thread has it before the next request, or soon after.
    const deadline = performance.now() + 10_000;
    for (;;) {
      const { body } = yield* ask(`${control.url}/healthz`, "GET");
      if (body.faults.length === 1) break;
      assert.isBelow(performance.now(), deadline, JSON.stringify(body));
      yield* Effect.sleep(10);
    }
  }),
);
