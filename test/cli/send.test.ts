import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { FakeNode, startApi } from "../api/fake-node.ts";
import { type RunOptions, runSpillway } from "./run-spillway.ts";
import { ScriptedIngest, type Step } from "./scripted-ingest.ts";
import { removeTree } from "../support/remove-tree.ts";

const linesOf = (count: number) => Array.from({ length: count }, (_, at) => `{"n":${at + 1}}`);
const textOf = (lines: ReadonlyArray<string>) => lines.map((line) => `${line}\n`).join("");

/** A node that follows the script, and one run of `spillway send` against it. */
const sendTo = Effect.fnUntraced(function* (
  script: ReadonlyArray<Step>,
  args: ReadonlyArray<string>,
  options: RunOptions = {},
) {
  const ingest = new ScriptedIngest(script);
  const { url } = yield* startApi(new FakeNode(), { ingest: ingest.handle });
  const ran = yield* runSpillway(["send", ...args, "--dataset", "http_requests", "--url", url], options);
  return { ingest, ran };
});

const temporaryFile = (name: string, content: Buffer | string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = await mkdtemp(join(tmpdir(), "spillway-send-"));
      await writeFile(join(directory, name), content);
      return { directory, path: join(directory, name) };
    }),
    ({ directory }) => Effect.promise(() => removeTree(directory)),
  ).pipe(Effect.map(({ path }) => path));

const answer = (refused: ReadonlyArray<{ line: number; reason: string }>): Step => ({
  status: 200,
  body: { accepted: 2 - refused.length, unconfigured: 0, refused },
});

describe("spillway send", () => {
  it.live("sends stdin in bodies of whole lines, in order, and says what became of them", () =>
    Effect.gen(function* () {
      const lines = linesOf(2_500);
      const { ingest, ran } = yield* sendTo([], ["-", "--customer", "acme"], { stdin: textOf(lines) });
      assert.strictEqual(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, /^sent 2,500, accepted 2,500, unconfigured 0, refused 0 in /);
      assert.deepStrictEqual(ingest.accepted, lines);
      assert.deepStrictEqual(
        ingest.received.map(({ lines: { length } }) => length),
        [1_000, 1_000, 500],
      );
      assert.deepStrictEqual([...new Set(ingest.received.map(({ customer }) => customer))], ["acme"]);
      assert.strictEqual(new Set(ingest.received.map(({ key }) => key)).size, 3);
    }),
  );

  it.live("inflates gzip and zstd files, and takes a last line without a newline", () =>
    Effect.gen(function* () {
      const lines = linesOf(3);
      const plain = Buffer.from(textOf(lines).trimEnd());
      for (const [name, content] of [
        ["a.gz", gzipSync(plain)],
        ["a.zst", zstdCompressSync(plain)],
        ["two-members.gz", Buffer.concat([gzipSync(plain.subarray(0, 4)), gzipSync(plain.subarray(4))])],
      ] as const) {
        const path = yield* temporaryFile(name, content);
        const { ingest, ran } = yield* sendTo([], [path, "--json"]);
        assert.strictEqual(ran.code, 0, `${name}: ${ran.stderr}`);
        assert.deepStrictEqual(ingest.accepted, lines, name);
        assert.include(JSON.parse(ran.stdout), { sent: 3, accepted: 3, refused: 0, unanswered: 0 });
      }
    }),
  );

  it.live("repeats a body under the same key until it is taken", () =>
    Effect.gen(function* () {
      const busy = {
        status: 503,
        body: { error: { code: "busy", message: "outbox full" } },
        headers: { "retry-after": "0" },
      };
      const throttled = { ...busy, status: 429 };
      const script: ReadonlyArray<Step> = [busy, throttled, "reset", "accept"];
      const { ingest, ran } = yield* sendTo(script, ["-", "--in-flight", "1", "--json"], { stdin: textOf(linesOf(5)) });
      assert.strictEqual(ran.code, 0, ran.stderr);
      assert.strictEqual(ingest.received.length, 4);
      assert.strictEqual(new Set(ingest.received.map(({ key }) => key)).size, 1);
      assert.include(JSON.parse(ran.stdout), { sent: 5, accepted: 5, repeats: 3 });
      assert.match(ran.stderr, /trying again for up to 300 s: outbox full/);
    }),
  );

  it.live("survives a lost connection with several requests in flight", () =>
    Effect.gen(function* () {
      const lines = linesOf(40);
      const args = ["-", "--batch-records", "2", "--in-flight", "8", "--json"];
      const { ingest, ran } = yield* sendTo(["accept", "reset", "accept", "reset"], args, { stdin: textOf(lines) });
      assert.strictEqual(ran.code, 0, ran.stderr);
      assert.include(JSON.parse(ran.stdout), { sent: 40, accepted: 40, unanswered: 0 });
      // The real forwarder knows a repeated request by its key; the script counts it twice.
      const byKey = new Map(ingest.received.map((each) => [each.key, each.lines]));
      assert.strictEqual(byKey.size, 20);
      assert.deepStrictEqual([...byKey.values()].flat().toSorted(), lines.toSorted());
    }),
  );

  it.live("waits as long as Retry-After says", () =>
    Effect.gen(function* () {
      const busy = { status: 503, body: { error: { code: "busy", message: "full" } }, headers: { "retry-after": "1" } };
      const { ran } = yield* sendTo([busy], ["-", "--json"], { stdin: textOf(linesOf(1)) });
      assert.strictEqual(ran.code, 0, ran.stderr);
      assert.isAtLeast(JSON.parse(ran.stdout).seconds, 1);
    }),
  );

  it.live("gives up in time, and says how much is without an answer", () =>
    Effect.gen(function* () {
      const busy: Step = { status: 503, body: { error: { code: "busy", message: "full" } } };
      const script = Array.from({ length: 50 }, () => busy);
      const args = ["-", "--give-up-after", "1", "--in-flight", "1", "--json"];
      const { ran } = yield* sendTo(script, args, { stdin: textOf(linesOf(7)) });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /gave up after 1 s: full/);
      assert.include(JSON.parse(ran.stdout), { sent: 7, accepted: 0, unanswered: 7 });
    }),
  );

  it.live("prints refused lines under their number in the file, and ends with 1", () =>
    Effect.gen(function* () {
      const script = [answer([]), answer([{ line: 3, reason: "not an object" }])];
      // Line 4 is empty: it is no record, but it has a number.
      const stdin = textOf(["{}", "{}", "{}", "", "bad"]);
      const args = ["-", "--batch-records", "2", "--in-flight", "1", "--json"];
      const { ran } = yield* sendTo(script, args, { stdin });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /^line 5: not an object$/m);
      assert.include(JSON.parse(ran.stdout), { sent: 4, accepted: 3, refused: 1, unanswered: 0 });
    }),
  );

  it.live("ends with 1 when nobody wants the records, and says where to look", () =>
    Effect.gen(function* () {
      const dropped: Step = { status: 200, body: { accepted: 0, unconfigured: 2, refused: [] } };
      const { ran } = yield* sendTo([dropped], ["-"], { stdin: textOf(linesOf(2)) });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stdout, /unconfigured 2/);
      assert.match(ran.stderr, /spillway jobs list/);
    }),
  );

  it.live("does not wait for a node that was never there", () =>
    Effect.gen(function* () {
      const args = ["send", "-", "--dataset", "d", "--url", "http://127.0.0.1:9"];
      const ran = yield* runSpillway(args, { stdin: textOf(linesOf(1)) });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /is `spillway dev` running/);
    }),
  );

  it.live("stops at an answer that no repetition can change", () =>
    Effect.gen(function* () {
      const wrong: Step = { status: 400, body: { error: { code: "bad_dataset", message: "no such dataset" } } };
      const { ingest, ran } = yield* sendTo([wrong], ["-", "--in-flight", "1"], { stdin: textOf(linesOf(3_000)) });
      assert.strictEqual(ran.code, 1);
      assert.match(ran.stderr, /spillway: no such dataset \(status 400\)/);
      assert.strictEqual(ingest.received.length, 1);
    }),
  );

  it.live("names a file that is missing or cut off", () =>
    Effect.gen(function* () {
      const missing = yield* sendTo([], ["/nonexistent/x.ndjson"]);
      assert.strictEqual(missing.ran.code, 1);
      assert.match(missing.ran.stderr, /there is no file \/nonexistent\/x.ndjson/);
      const whole = gzipSync(Buffer.from(textOf(linesOf(10))));
      const path = yield* temporaryFile("cut.gz", whole.subarray(0, whole.length - 12));
      const cut = yield* sendTo([], [path]);
      assert.strictEqual(cut.ran.code, 1);
      assert.match(cut.ran.stderr, /its compressed data ends too early/);
    }),
  );

  it.live("stops at Ctrl-C with an account of what was acknowledged", () =>
    Effect.gen(function* () {
      const ingest = new ScriptedIngest(["accept", "hang"]);
      const { url } = yield* startApi(new FakeNode(), { ingest: ingest.handle });
      const secondReceived = Effect.gen(function* () {
        while (ingest.received.length < 2) yield* Effect.sleep("10 millis");
      }).pipe(Effect.timeout("15 seconds"), Effect.runPromise);
      const args = ["send", "-", "--dataset", "d", "--in-flight", "1", "--batch-records", "2", "--json", "--url", url];
      const ran = yield* runSpillway(args, { stdin: textOf(linesOf(10)), interruptWhen: secondReceived });
      assert.strictEqual(ran.code, 130);
      assert.include(JSON.parse(ran.stdout), { sent: 4, accepted: 2, unanswered: 2 });
    }),
  );
});
