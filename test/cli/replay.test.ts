import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { ReplayNotStarted } from "../../src/api/replays-port.ts";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const start = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  return { replays: node.replays, run: (...args: ReadonlyArray<string>) => runSpillway([...args, "--url", url]) };
});

describe("spillway replay", () => {
  it.live("begins one by sequence or time, and tells its warnings on stderr", () =>
    Effect.gen(function* () {
      const { replays, run } = yield* start;
      const begun = yield* run("replay", "acme-http", "--from", "12", "--json");
      assert.strictEqual(begun.code, 0, begun.stderr);
      assert.deepInclude(JSON.parse(begun.stdout), { id: "0badcafe", job: "acme-http", state: "running" });
      assert.include(begun.stderr, "warning: The log begins at sequence 1.");
      yield* run("replay", "acme-http", "--from", "2026-11-23T07:00:00Z", "--to", "99", "--as", "mine");
      assert.deepStrictEqual(replays.asked, [
        { job: "acme-http", input: { from: 12 } },
        { job: "acme-http", input: { from: "2026-11-23T07:00:00Z", to: 99, id: "mine" } },
      ]);
      for (const from of ["yesterday", "2026-11-23", "2026-11-23T07:00:00"]) {
        const wrong = yield* run("replay", "acme-http", "--from", from);
        assert.strictEqual(wrong.code, 2, from);
        assert.include(wrong.stderr, "--from must be a sequence or a time");
      }
      assert.strictEqual(replays.asked.length, 2);
    }),
  );

  it.live("waits for the end when asked, and ends as the replay does", () =>
    Effect.gen(function* () {
      const { replays, run } = yield* start;
      const done = yield* run("replay", "a", "--from", "1", "--wait");
      assert.strictEqual(done.code, 0, done.stderr);
      assert.match(done.stdout, /replay 0badcafe of a, 1 to 9: done, 100 %, 20 records delivered, 0 refused/);
      replays.end = "failed";
      const failed = yield* run("replay", "a", "--from", "1", "--as", "b", "--wait");
      assert.strictEqual(failed.code, 1);
      assert.include(failed.stderr, "replay b failed: Batch 1-9: timeout");
    }),
  );

  it.live("says why none was begun, with the status that fits", () =>
    Effect.gen(function* () {
      const { replays, run } = yield* start;
      for (const [kind, status] of [
        ["notFound", 404],
        ["invalid", 400],
        ["conflict", 409],
      ] as const) {
        replays.refusal = new ReplayNotStarted({ kind, code: "a_code", detail: "Because of this." });
        const refused = yield* run("replay", "a", "--from", "1");
        assert.strictEqual(refused.code, 1);
        assert.include(refused.stderr, `Because of this. (status ${status})`);
      }
    }),
  );

  it.live("lists and cancels", () =>
    Effect.gen(function* () {
      const { run } = yield* start;
      assert.include((yield* run("replays", "list")).stdout, "No replays");
      yield* run("replay", "a", "--from", "1");
      const cancelled = yield* run("replays", "cancel", "0badcafe");
      assert.strictEqual(cancelled.stdout, "replay 0badcafe is cancelled; pushed up to sequence 0\n");
      const list = yield* run("replays", "list");
      assert.match(list.stdout, /^replay +job +state/);
      assert.match(list.stdout, /\n0badcafe +a +cancelled +1 +9 +0 % +0 +0\n/);
      const absent = yield* run("replays", "cancel", "nobody");
      assert.strictEqual(absent.code, 1);
      assert.include(absent.stderr, 'no replay "nobody"');
    }),
  );
});
