import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { runSpillway } from "./run-spillway.ts";

describe("spillway receipts", () => {
  it.live("hands the filters on, reads every page, and lists the oldest first", () =>
    Effect.gen(function* () {
      const node = new FakeNode();
      const { url } = yield* startApi(node);
      const run = (...args: ReadonlyArray<string>) => runSpillway(["receipts", ...args, "--url", url]);
      const none = yield* run();
      assert.match(none.stdout, /^No receipts/);

      node.receipts.receipts = Array.from({ length: 1_100 }, (_, i) => ({
        partition: i % 8,
        customer: "acme",
        dataset: "http_requests",
        job: "acme-http",
        firstSequence: i + 1,
        lastSequence: i + 1,
        records: 1_234,
        bytes: 99,
        reason: "shed",
        millis: 1_700_000_000_000 - i,
      }));
      const all = yield* run("--json", "--limit", "2000", "--customer", "acme", "--since", "2023-01-01T00:00:00Z");
      assert.strictEqual(all.code, 0, all.stderr);
      const { more, receipts } = JSON.parse(all.stdout);
      assert.deepStrictEqual([receipts.length, more, receipts[0].firstSequence], [1_100, false, 1_100]);
      assert.deepStrictEqual(node.receipts.asked.at(-1), {
        customer: "acme",
        since: "2023-01-01T00:00:00Z",
        limit: 1_000,
        after: "1000",
      });
      const some = yield* run("--job", "acme-http", "--reason", "shed", "--limit", "2");
      assert.match(some.stdout, /^time +job +customer +dataset +reason +first +last +records +bytes\n/);
      assert.match(some.stdout, /2023-11-14T22:13:20\.000Z +acme-http +acme +http_requests +shed +1 +1 +1,234 +99\n/);
      assert.match(some.stdout, /and more/);
      assert.strictEqual((yield* run("--reason", "lost")).code, 2);
      const wrong = yield* run("--since", "nonsense");
      assert.deepStrictEqual([wrong.code, /since: what\?.*400/.test(wrong.stderr)], [1, true], wrong.stderr);
    }),
  );
});
