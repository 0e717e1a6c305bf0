import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { FakeNode, startApi } from "./fake-node.ts";

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const answer = await fetch(url, { ...init, headers: { "content-type": "application/json", ...init.headers } });
    return { status: answer.status, json: (await answer.json()) as any };
  });

const world = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  const account = { "spillway-actor": "ops@laptop", "spillway-reason": "they asked" };
  return {
    node,
    get: (path: string) => ask(`${url}/v1/config/${path}`),
    post: (path: string, input: unknown = {}, headers: Record<string, string> = account) =>
      ask(`${url}/v1/config/${path}`, { method: "POST", body: JSON.stringify(input), headers }),
  };
});

const hash = "b".repeat(64);
const changes = ["apply", "rollback", "freeze", "unfreeze", "halt", "resume"];

describe("the configuration over the API", () => {
  it.effect("is told as the control process tells it", () =>
    Effect.gen(function* () {
      const { get, node } = yield* world;
      assert.deepStrictEqual(yield* get("status"), { status: 200, json: node.config.statuses[0]! });
      assert.deepStrictEqual(yield* get("plan"), { status: 200, json: node.config.plan });
      assert.deepStrictEqual(yield* get("history?limit=1000"), { status: 200, json: { rollouts: [] } });
      assert.deepStrictEqual((yield* get("diff?from=7&to=8")).json, { from: 7, to: 8, changes: [], more: 0 });
    }),
  );

  it.effect("is changed with who and why, and says what was begun", () =>
    Effect.gen(function* () {
      const { node, post } = yield* world;
      node.config.begun = { number: 8, hash };
      const account = { who: "ops@laptop", why: "they asked" };
      assert.deepStrictEqual((yield* post("apply", { accept: hash })).json.begun, { number: 8, hash });
      yield* post("rollback", { to: 3 });
      for (const op of changes.slice(2)) assert.strictEqual((yield* post(op)).status, 200, op);
      assert.deepStrictEqual(node.config.asked, [
        ["apply", { ...account, accept: hash, canaryNodes: [], unfreeze: false }],
        ["rollback", { ...account, to: 3, accept: null }],
        ...changes.slice(2).map((op) => [op, account] as const),
      ]);
      const noted = node.audit.notes
        .filter(({ from }) => from === "")
        .map(({ detail, what, who }) => [what, detail, who]);
      assert.deepStrictEqual(noted, [
        ["accept a blast radius", `snapshot ${hash}`, "ops@laptop"],
        ["roll the configuration back", "to 3", "ops@laptop"],
      ]);
    }),
  );

  it.effect("answers 400 to what is asked wrongly, and asks nobody", () =>
    Effect.gen(function* () {
      const { get, node, post } = yield* world;
      const paths = ["history?limit=0", "history?limit=1001", "history?limit=many", "diff?from=1", "diff?from=1&to=-2"];
      for (const path of [...paths, "diff?from=1&to=2.5"]) assert.strictEqual((yield* get(path)).status, 400, path);
      const inputs: ReadonlyArray<readonly [string, unknown]> = [
        ["apply", { accept: "4a67" }],
        ["apply", { accept: "B".repeat(64) }],
        ["apply", { accept: 1 }],
        ["apply", { canaryNodes: "a,b" }],
        ["apply", { canaryNodes: ["a,b"] }],
        ["apply", { canaryNodes: [""] }],
        ["apply", { canaryNodes: Array.from({ length: 101 }, (_, i) => `node-${i}`) }],
        ["apply", { unfreeze: "yes" }],
        ["rollback", { to: "3" }],
        ["rollback", { to: 1.5 }],
        ["rollback", { accept: "all" }],
      ];
      for (const [path, input] of inputs) {
        const answer = yield* post(path, input);
        assert.strictEqual(answer.status, 400, JSON.stringify(input));
        assert.isString(answer.json.error.code);
      }
      assert.deepStrictEqual(node.config.asked, []);
    }),
  );

  it.effect("hands canary nodes on, and notes them; 400 with the reason when they are not good for it", () =>
    Effect.gen(function* () {
      const { node, post } = yield* world;
      const input = { canaryNodes: ["node-1", "node-2.rack_3"], unfreeze: true };
      assert.strictEqual((yield* post("apply", input)).status, 200);
      assert.deepInclude(node.config.asked[0]![1], input);
      const noted = node.audit.notes.filter(({ from }) => from === "").map(({ detail, what }) => [what, detail]);
      assert.deepStrictEqual(noted, [
        ["unfreeze the configuration", "to roll out what is pending"],
        ["name canary nodes", "node-1, node-2.rack_3"],
      ]);
      node.config.invalid = "No node node-1 has reported lately.";
      const refused = yield* post("apply", input);
      assert.deepStrictEqual(refused, {
        status: 400,
        json: { error: { code: "invalid_rollout", message: node.config.invalid } },
      });
    }),
  );

  it.effect("answers 404 for a snapshot that is not there any more", () =>
    Effect.gen(function* () {
      const { get, node, post } = yield* world;
      const gone = yield* get("diff?from=1&to=200");
      assert.deepStrictEqual([gone.status, gone.json.error.code], [404, "snapshot_not_found"]);
      assert.match(gone.json.error.message, /no snapshot 200 .*`spillway config history`/);
      node.config.missing = 41;
      const back = yield* post("rollback", { to: 41 });
      assert.deepStrictEqual([back.status, back.json.error.code], [404, "snapshot_not_found"]);
    }),
  );

  it.effect("answers 409 with the reason when the control process does not do that now", () =>
    Effect.gen(function* () {
      const { node, post } = yield* world;
      node.config.conflict = "The configuration is frozen by eve: an incident. Unfreeze it first.";
      for (const op of changes) {
        const answer = yield* post(op);
        assert.strictEqual(answer.status, 409, op);
        assert.deepStrictEqual(answer.json.error, { code: "config_conflict", message: node.config.conflict });
      }
    }),
  );

  it.effect("answers 503 when nobody leads, and when a change cannot be noted: then it is not made", () =>
    Effect.gen(function* () {
      const { get, node, post } = yield* world;
      node.config.down = true;
      for (const path of ["status", "plan", "history", "diff?from=1&to=2"]) {
        const answer = yield* get(path);
        assert.deepStrictEqual([answer.status, answer.json.error.code], [503, "unavailable"], path);
      }
      for (const op of changes) assert.strictEqual((yield* post(op)).status, 503, op);
      node.config.down = false;
      const asked = node.config.asked.length;
      node.audit.down = true;
      for (const op of changes) {
        const answer = yield* post(op);
        assert.deepStrictEqual([answer.status, answer.json.error.code], [503, "not_audited"], op);
      }
      assert.lengthOf(node.config.asked, asked);
      assert.strictEqual((yield* get("status")).status, 200, "looking needs no note");
    }),
  );
});
