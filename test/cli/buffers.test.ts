import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { CommandRefused } from "../../src/api/buffers-port.ts";
import { aBuffer } from "../api/fake-buffers.ts";
import { aJob, FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

const start = Effect.gen(function* () {
  const node = new FakeNode();
  const { url } = yield* startApi(node);
  return { node, run: (...args: ReadonlyArray<string>) => runSpillway([...args, "--url", url]) };
});

describe("spillway buffers", () => {
  it.live("lists page after page, as a table or JSON", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      node.buffers.buffers = Array.from({ length: 1_203 }, (_, i) =>
        aBuffer(`job-${String(i).padStart(4, "0")}`, i === 7 ? { delivery: "suspended", backlogRecords: 1_234 } : {}),
      );
      const all = yield* run("buffers", "list", "--limit", "5000", "--json");
      assert.strictEqual(all.code, 0, all.stderr);
      assert.strictEqual(JSON.parse(all.stdout).buffers.length, 1_203);
      assert.isFalse(JSON.parse(all.stdout).more);
      assert.deepInclude(node.buffers.queries[1], { after: "job-0999", limit: 1_000 });
      const some = yield* run("buffers", "list", "--limit", "10");
      assert.match(some.stdout, /^job +customer +delivery +flow +backlog +lag +window +attempts +last error\n/);
      assert.match(some.stdout, /\njob-0007 +acme +suspended +live +1,234 +0\.0s /);
      assert.match(some.stdout, /and more: --limit shows more than 10\n$/);
      const filtered = yield* run("buffers", "list", "--state", "suspended");
      assert.strictEqual(filtered.stdout.trim().split("\n").length, 2);
      const wrong = yield* run("buffers", "list", "--state", "asleep");
      assert.strictEqual(wrong.code, 2);
      assert.match(wrong.stderr, /quarantined/);
    }),
  );

  it.live("shows one in full", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      const evidence = { millis: 0, event: "pushing", error: "boom", firstSequence: 3, lastSequence: 9, crashes: 5 };
      const recent = [{ millis: 0, event: "batch.closed", flow: "live", delivery: "pushing" }];
      node.buffers.buffers = [aBuffer("a", { evidence, recent, delivery: "quarantined" })];
      const shown = yield* run("buffers", "show", "a");
      assert.strictEqual(shown.code, 0, shown.stderr);
      assert.match(shown.stdout, /^delivery +quarantined$/m);
      assert.match(shown.stdout, /^quarantined +1970-01-01T00:00:00\.000Z during pushing: boom$/m);
      assert.match(shown.stdout, /^unexplained +0 +0$/m);
      assert.match(shown.stdout, /batch\.closed +pushing +live/);
      const json = yield* run("buffers", "show", "a", "--json");
      assert.deepStrictEqual(JSON.parse(json.stdout), node.buffers.buffers[0]);
      const missing = yield* run("buffers", "show", "b");
      assert.strictEqual(missing.code, 1);
      assert.match(missing.stderr, /no buffer of a push job "b".*\(status 404\)/);
    }),
  );

  it.live("tells what a command has done, and why one was refused", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      node.buffers.buffers = [aBuffer("a", { delivery: "suspended", backlogRecords: 7 })];
      const resumed = yield* run("buffers", "resume", "a");
      assert.strictEqual(resumed.stdout, "a was suspended, is pushing; 7 records pending\n");
      const isolated = yield* run("buffers", "quarantine", "a", "--json");
      assert.strictEqual(JSON.parse(isolated.stdout).after, "quarantined");
      const skipped = yield* run("buffers", "skip", "a", "--to", "now");
      assert.strictEqual(skipped.stdout, "a: 7 records are given up (sequence 13 to 20); 0 records pending\n");
      yield* run("buffers", "skip", "a", "--to", "41");
      assert.deepStrictEqual(
        node.buffers.told.map(({ command, to }) => [command, to]),
        [
          ["resume", undefined],
          ["quarantine", undefined],
          ["skip", "now"],
          ["skip", 41],
        ],
      );
      const wrong = yield* run("buffers", "skip", "a", "--to", "yesterday");
      assert.deepStrictEqual([wrong.code, node.buffers.told.length], [2, 4]);
      node.buffers.failure = new CommandRefused({ code: "not_now", detail: "The node is about to end." });
      const refused = yield* run("buffers", "resume", "a");
      assert.strictEqual(refused.code, 1);
      assert.match(refused.stderr, /about to end/);
    }),
  );
});

describe("spillway jobs enable", () => {
  it.live("says what is pending and resumes, or skips first", () =>
    Effect.gen(function* () {
      const { node, run } = yield* start;
      const disable = () => node.put("a", { ...aJob, id: "a", enabled: false }, undefined);
      node.buffers.buffers = [aBuffer("a", { backlogRecords: 1_500 })];
      const enabled = () => node.jobs.get("a")?.job.enabled;

      yield* disable();
      const resumed = yield* run("jobs", "enable", "a");
      assert.match(resumed.stdout, /^a: 1,500 records are pending after sequence 12; they are delivered first/);
      assert.match(resumed.stdout, /\na is enabled\n$/);
      assert.isTrue(enabled());
      assert.deepStrictEqual(node.buffers.told, []);
      const late = yield* run("jobs", "enable", "a", "--skip");
      assert.deepStrictEqual([late.code, node.buffers.told.length], [1, 0]);
      assert.match(late.stderr, /spillway buffers skip/);

      yield* disable();
      const skipped = yield* run("jobs", "enable", "a", "--skip");
      assert.match(skipped.stdout, /^a: 1,500 records are given up .*\na is enabled\n$/);
      yield* disable();
      yield* run("jobs", "enable", "a", "--from", "2026-11-23T07:00:00Z");
      assert.deepStrictEqual(
        node.buffers.told.map(({ to }) => to),
        ["now", "2026-11-23T07:00:00Z"],
      );

      yield* disable();
      node.buffers.failure = new CommandRefused({ code: "cannot_skip", detail: "Cannot skip: settled already." });
      const refused = yield* run("jobs", "enable", "a", "--skip");
      assert.strictEqual(refused.code, 1);
      assert.isFalse(enabled(), "what could not be skipped must not be delivered");
      assert.strictEqual((yield* run("jobs", "enable", "a", "--skip", "--from", "1")).code, 2);
    }),
  );
});
