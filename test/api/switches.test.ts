import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { KillSwitches } from "../../src/actors/ports/kill-switches.ts";
import { aSwitch, ScriptedSwitches } from "../support/scripted-switches.ts";
import { FakeNode, startApi } from "./fake-node.ts";

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const answer = await fetch(url, { ...init, headers: { "content-type": "application/json", ...init.headers } });
    return { status: answer.status, json: (await answer.json()) as any };
  });

const post = (url: string, input: unknown, headers: Record<string, string> = {}) =>
  ask(url, { method: "POST", body: JSON.stringify(input), headers });

describe("kill switches over the API", () => {
  it.effect("are shown before, on, and off again; each is in the audit log with what it stops", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const account = { "spillway-actor": "ops@laptop", "spillway-reason": "they asked" };
      const wanted = { kind: "customer", target: "c-17", stops: "both", forSeconds: 60 };
      const shown = yield* post(`${url}/v1/switches?dryRun=true`, wanted, account);
      assert.strictEqual(shown.status, 200);
      assert.deepInclude(shown.json, { dryRun: true, effect: node.switches.effect });
      assert.deepStrictEqual((yield* ask(`${url}/v1/switches`)).json, { switches: [] });

      const added = yield* post(`${url}/v1/switches`, wanted, account);
      assert.deepInclude(added.json.switch, { id: "customer-c-17", who: "ops@laptop", why: "they asked" });
      assert.deepStrictEqual(
        node.switches.asked.map(({ dryRun }) => dryRun),
        [true, false],
      );
      assert.deepStrictEqual((yield* ask(`${url}/v1/switches`)).json, { switches: [added.json.switch] });
      const said = node.audit.notes.filter(({ what }) => what.startsWith("kill switch"));
      assert.lengthOf(said, 1);
      assert.deepInclude(said[0], { what: "kill switch for customer c-17", who: "ops@laptop", why: "they asked" });
      assert.match(said[0]!.detail, /^stops both until 2023-/);

      const removed = yield* ask(`${url}/v1/switches/customer-c-17`, { method: "DELETE", headers: account });
      assert.deepStrictEqual([removed.status, removed.json.switch.id], [200, "customer-c-17"]);
      assert.strictEqual((yield* ask(`${url}/v1/switches/customer-c-17`, { method: "DELETE" })).status, 404);
    }),
  );

  it.effect("that are misspelt, asked wrongly or not noted are refused", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const nobody = { kind: "customer", target: "nobody" };
      const unknown = yield* post(`${url}/v1/switches`, nobody);
      assert.deepStrictEqual([unknown.status, unknown.json.error.code], [409, "stops_nothing"]);
      assert.strictEqual((yield* post(`${url}/v1/switches`, { ...nobody, force: true })).status, 200);
      const wrong = yield* post(`${url}/v1/switches`, { kind: "everything", target: "c-17" });
      assert.deepStrictEqual([wrong.status, wrong.json.error.code], [400, "invalid_switch"]);
      for (const input of [{}, { kind: "planet" }, { kind: "everything", forSeconds: 0 }]) {
        assert.strictEqual((yield* post(`${url}/v1/switches`, input)).status, 400);
      }
      node.audit.down = true;
      assert.strictEqual((yield* post(`${url}/v1/switches`, { kind: "everything" })).status, 503);
      assert.lengthOf(node.switches.switches, 1);
    }),
  );

  it.effect("are counted on /healthz, which tells nobody whom they stop", () =>
    Effect.gen(function* () {
      const switches = new ScriptedSwitches();
      const { url } = yield* startApi(new FakeNode()).pipe(Effect.provideService(KillSwitches, switches));
      assert.deepStrictEqual((yield* ask(`${url}/healthz`)).json, { status: "ok" });
      switches.throw(aSwitch("customer", "c-17"), aSwitch("customer", "c-18"), aSwitch("everything", ""));
      const expected = { status: "ok", killSwitches: { customer: 2, everything: 1 } };
      assert.deepStrictEqual((yield* ask(`${url}/healthz`)).json, expected);
    }),
  );
});
