import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

/** A node with three letters of job `a` and one of job `b`. */
const start = Effect.gen(function* () {
  const node = new FakeNode();
  for (const sequence of [11, 12, 13]) node.letters.put("a", sequence);
  node.letters.put("b", 20, { customer: "globex", record: '{"né":"ü"}' });
  const { url } = yield* startApi(node);
  const run = (...args: ReadonlyArray<string>) => runSpillway(["dead-letters", ...args, "--url", url]);
  return { letters: node.letters, run };
});

describe("spillway dead-letters", () => {
  it.live("lists in a table or as JSON, of a job or a customer, up to a limit", () =>
    Effect.gen(function* () {
      const { run } = yield* start;
      const all = yield* run("list");
      assert.strictEqual(all.code, 0, all.stderr);
      assert.match(all.stdout, /^letter +customer +dataset +refused at +bytes +why\n/);
      assert.match(
        all.stdout,
        /\na\/11\/0 +acme +http_requests +2023-11-14T22:13:20.000Z +8 +sink\.example answered 422/,
      );
      assert.include(all.stdout, "b/20/0");
      const ofJob = yield* run("list", "--job", "b", "--json");
      assert.deepStrictEqual(
        JSON.parse(ofJob.stdout).letters.map((letter: { sequence: number }) => letter.sequence),
        [20],
      );
      assert.notInclude(ofJob.stdout, "né");
      const ofCustomer = yield* run("list", "--customer", "acme", "--limit", "2");
      assert.include(ofCustomer.stdout, "a/12/0");
      assert.notInclude(ofCustomer.stdout, "a/13/0");
      assert.include(ofCustomer.stdout, "and more");
    }),
  );

  it.live("shows the record on stdout and the reason beside it", () =>
    Effect.gen(function* () {
      const { run } = yield* start;
      const shown = yield* run("show", "b/20/0");
      assert.strictEqual(shown.stdout, '{"né":"ü"}\n');
      assert.match(shown.stderr, /globex http_requests, refused at 2023\S+: data, sink\.example answered 422/);
      const absent = yield* run("show", "b/21/0");
      assert.strictEqual(absent.code, 1);
      assert.include(absent.stderr, "There is no dead letter b/21/0");
      const wrong = yield* run("show", "b/../20");
      assert.strictEqual(wrong.code, 2);
      assert.include(wrong.stderr, "JOB/SEQUENCE/INDEX");
    }),
  );

  it.live("drops one, and all of a job only when told twice", () =>
    Effect.gen(function* () {
      const { letters, run } = yield* start;
      assert.strictEqual((yield* run("drop", "a/11/0")).stdout, "dropped a/11/0\n");
      const asked = yield* run("drop", "--job", "a");
      assert.strictEqual(asked.code, 2);
      assert.include(asked.stderr, "--yes");
      assert.strictEqual((yield* run("drop")).code, 2);
      assert.strictEqual((yield* run("drop", "a/12/0", "--job", "a", "--yes")).code, 2);
      assert.strictEqual(letters.letters.length, 3);
      assert.strictEqual((yield* run("drop", "--job", "a", "--yes")).stdout, "dropped 2 dead letters of a\n");
      assert.deepStrictEqual(
        letters.letters.map(({ job }) => job),
        ["b"],
      );
    }),
  );

  it.live("replays one or all of a job, page by page, and keeps what is refused", () =>
    Effect.gen(function* () {
      const { letters, run } = yield* start;
      letters.refusal = "data: sink.example answered 422";
      const kept = yield* run("replay", "a/11/0");
      assert.strictEqual(kept.code, 1);
      assert.match(kept.stderr, /a\/11\/0 was refused again: data: sink\.example answered 422/);
      assert.strictEqual(letters.letters.length, 4);
      letters.refusal = undefined;
      letters.pageSize = 2;
      const all = yield* run("replay", "--job", "a");
      assert.strictEqual(all.code, 0, all.stderr);
      assert.strictEqual(all.stdout, "delivered 3, kept 0\n");
      assert.strictEqual(letters.letters.length, 1);
    }),
  );
});
