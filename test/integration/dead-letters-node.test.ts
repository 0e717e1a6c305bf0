import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { runSpillway } from "../cli/run-spillway.ts";
import { linesOf } from "../support/nats-log.ts";
import { startOneJobNode } from "../support/one-job-node.ts";
import { until } from "../support/world.ts";

interface Post {
  readonly lines: ReadonlyArray<string>;
  readonly replay: boolean;
}

/** A receiver that answers 422 to every batch with a poisoned record, until it is repaired. */
const receiver = Effect.gen(function* () {
  const taken: Array<Post> = [];
  const state = { repaired: false, batches: [] as Array<number> };
  const server = createServer((request, response) => {
    const parts: Array<Buffer> = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const lines = linesOf(gunzipSync(Buffer.concat(parts)));
      state.batches.push(lines.length);
      const refused = !state.repaired && lines.some((line) => line.includes("poison"));
      if (!refused) taken.push({ lines, replay: request.headers["spillway-replay"] === "true" });
      response.writeHead(refused ? 422 : 200).end();
    });
  });
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => server.close().closeAllConnections()),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`, taken, state };
});

const maxRecords = 10_000;

describe("a poisoned record in the middle of a batch of 10,000, from the door to the person who repairs it", () => {
  it.live("becomes a dead letter, its neighbours arrive, and it is replayed when the receiver is repaired", () =>
    Effect.gen(function* () {
      const sink = yield* receiver;
      const { url } = yield* startOneJobNode(sink.url, { maxIntervalSeconds: 5, maxRecords });
      const lines = Array.from({ length: maxRecords }, (_, i) => (i === 5_042 ? '{"poison":true}' : `{"n":${i}}`));
      const run = (...args: ReadonlyArray<string>) =>
        runSpillway([...args, "--url", url], args[0] === "send" ? { stdin: `${lines.join("\n")}\n` } : {});
      const sent = yield* run("send", "-", "--dataset", "http_requests", "--customer", "acme");
      assert.strictEqual(sent.code, 0, sent.stderr);
      const count = () => sink.taken.reduce((sum, post) => sum + post.lines.length, 0);
      yield* until("the neighbours", () => count() === maxRecords - 1, 60_000);
      assert.strictEqual(sink.state.batches[0], maxRecords, "all of them were one batch");
      assert.isAtMost(sink.state.batches.length, 2 * Math.ceil(Math.log2(maxRecords)) + 2, "a binary search");
      const taken = sink.taken.flatMap((post) => post.lines);
      assert.sameMembers(
        taken,
        lines.filter((line) => !line.includes("poison")),
      );
      const list = yield* run("dead-letters", "list", "--job", "acme-http", "--json");
      const { letters } = JSON.parse(list.stdout) as { letters: Array<{ sequence: number; index: number }> };
      assert.strictEqual(letters.length, 1, list.stdout);
      const name = `acme-http/${letters[0]!.sequence}/${letters[0]!.index}`;
      assert.strictEqual((yield* run("dead-letters", "show", name)).stdout, '{"poison":true}\n');
      const books = yield* run("books", "--json");
      assert.strictEqual(books.code, 0, books.stderr);
      const totals = JSON.parse(books.stdout).totals;
      assert.deepInclude(totals.books, {
        delivered: { records: maxRecords - 1, bytes: lines.join("\n").length - 15 },
        deadLettered: { records: 1, bytes: 16 },
      });
      assert.deepInclude(totals.unexplained, { records: 0, bytes: 0 });
      const refused = yield* run("dead-letters", "replay", name);
      assert.strictEqual(refused.code, 1);
      assert.include(refused.stderr, "422");
      sink.state.repaired = true;
      const replayed = yield* run("dead-letters", "replay", "--job", "acme-http");
      assert.strictEqual(replayed.stdout, "delivered 1, kept 0\n", replayed.stderr);
      assert.deepStrictEqual(sink.taken.at(-1), { lines: ['{"poison":true}'], replay: true });
      assert.include((yield* run("dead-letters", "list")).stdout, "No dead letters");
      // The whole of the log again, the record that was dead before included.
      const again = yield* run("replay", "acme-http", "--from", "1", "--wait", "--json");
      assert.deepInclude(JSON.parse(again.stdout), { state: "done", records: maxRecords, percent: 100 }, again.stderr);
      const marked = sink.taken.filter(({ replay }) => replay).flatMap((post) => post.lines);
      assert.deepStrictEqual(marked.slice(1), lines);
      const after = JSON.parse((yield* run("books", "--json")).stdout).totals.books;
      assert.deepStrictEqual(after, totals.books);
    }),
  );
});
