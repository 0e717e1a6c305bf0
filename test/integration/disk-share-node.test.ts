import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { BufferReport, ReceiptReport } from "../../src/api/buffer-reports.ts";
import { linesOf } from "../support/nats-log.ts";
import { startNode } from "../support/one-job-node.ts";

/** Destinations of two customers: `/dead` answers 503 until it is repaired. */
const receiver = Effect.gen(function* () {
  const state = { isDead: true };
  const taken: Record<string, Set<string>> = { "/dead": new Set(), "/in": new Set() };
  const server = createServer((request, response) => {
    const parts: Array<Buffer> = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const path = request.url ?? "";
      const isRefused = state.isDead && path === "/dead";
      if (!isRefused) for (const line of linesOf(gunzipSync(Buffer.concat(parts)))) taken[path]!.add(line);
      response.writeHead(isRefused ? 503 : 200).end();
    });
  });
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => server.close().closeAllConnections()),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, state, taken };
});

/** Does not compress: what is sent is about what the log holds. */
const noise = (records: number): string =>
  Array.from({ length: records }, () => `{"x":"${randomBytes(750).toString("base64")}"}\n`).join("");

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

const post = (url: string, customer: string, body: string): Effect.Effect<Answer> =>
  Effect.promise(async () => {
    const headers = { "content-type": "application/x-ndjson", "spillway-customer": customer };
    const answer = await fetch(`${url}/v1/ingest/http_requests`, { method: "POST", headers, body });
    return { status: answer.status, retryAfter: answer.headers.get("retry-after"), text: await answer.text() };
  });

const json = <A>(url: string) => Effect.promise(async () => (await (await fetch(url)).json()) as A);
const bufferOf = (url: string, job: string) => json<BufferReport>(`${url}/v1/buffers/${job}`);
const receiptsOf = (url: string, customer: string) =>
  Effect.map(
    json<{ readonly receipts: ReadonlyArray<ReceiptReport>; readonly next?: string }>(
      `${url}/v1/receipts?customer=${customer}&limit=1000`,
    ),
    ({ next, receipts }) => {
      assert.isUndefined(next, "all of them are on one page");
      return receipts;
    },
  );

const untilBuffer = Effect.fnUntraced(function* (
  what: string,
  url: string,
  job: string,
  is: (report: BufferReport) => boolean,
) {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const report = yield* bufferOf(url, job);
    if (is(report)) return report;
    if (performance.now() > deadline)
      return yield* Effect.die(new Error(`${what} never came: ${JSON.stringify(report)}`));
    yield* Effect.sleep(100);
  }
});

const start = (sink: string, retentionSecondsMin: number) =>
  startNode(
    [
      { id: "acme-job", customer: "acme", destination: `${sink}/dead`, batch: { maxIntervalSeconds: 1 } },
      { id: "globex-job", customer: "globex", destination: `${sink}/in`, batch: { maxIntervalSeconds: 1 } },
    ],
    { partitions: 1, limits: { logBytesMax: 8_388_608, retentionSecondsMin, retryMillisMax: 500 } },
  );

describe("a node whose share of the disk is full", () => {
  it.live(
    "gives up the oldest of who does not take them, with receipts, and loses nothing of anybody else",
    () =>
      Effect.gen(function* () {
        const sink = yield* receiver;
        const { url } = yield* start(sink.url, 1);
        const sent = { acme: 0, globex: 0 };
        // 24 MB into a share of 8 MB.
        for (let i = 0; i < 96; i++) {
          for (const [customer, records] of [
            ["acme", 250],
            ["globex", 4],
          ] as const) {
            const { retryAfter, status, text } = yield* post(url, customer, noise(records));
            assert.strictEqual(status, 200, `${customer}: ${text}, Retry-After ${retryAfter}`);
            assert.deepInclude(JSON.parse(text), { accepted: records });
            sent[customer] += records;
          }
          yield* Effect.sleep(60);
        }
        const globex = yield* untilBuffer(
          "the neighbour's last record",
          url,
          "globex-job",
          ({ books }) => books.pending.records === 0 && books.accepted.records === sent.globex,
        );
        assert.strictEqual(globex.books.delivered.records, sent.globex);
        assert.strictEqual(sink.taken["/in"]!.size, sent.globex);
        assert.deepStrictEqual(yield* receiptsOf(url, "globex"), []);
        const during = yield* bufferOf(url, "acme-job");
        assert.isAbove(during.books.expired.records, sent.acme / 2);
        assert.strictEqual(during.books.accepted.records, sent.acme);
        assert.deepStrictEqual(during.unexplained, { records: 0, bytes: 0 });

        sink.state.isDead = false;
        const { books, unexplained } = yield* untilBuffer(
          "the end of the backlog",
          url,
          "acme-job",
          (report) => report.books.pending.records === 0,
        );
        assert.deepStrictEqual(unexplained, { records: 0, bytes: 0 });
        assert.strictEqual(books.accepted.records, sent.acme);
        assert.strictEqual(books.delivered.records + books.expired.records, sent.acme);
        assert.strictEqual(sink.taken["/dead"]!.size, books.delivered.records);
        assert.isAbove(books.delivered.bytes, 8_388_608 / 2, "no more was given up than had to be");
        const told = (yield* receiptsOf(url, "acme")).filter(({ reason }) => reason === "expired");
        const sum = (unit: "records" | "bytes") => told.reduce((total, receipt) => total + receipt[unit], 0);
        assert.deepStrictEqual({ records: sum("records"), bytes: sum("bytes") }, books.expired);
        const metrics = yield* Effect.promise(async () => (await fetch(`${url}/metrics`)).text());
        assert.include(metrics, `spillway_records_written_off_total{reason="expired"} ${books.expired.records}\n`);
      }),
    120_000,
  );

  it.live(
    "holds back who fills it faster than it may turn over, with 429 and when to come again, and nobody else",
    () =>
      Effect.gen(function* () {
        const sink = yield* receiver;
        sink.state.isDead = false;
        // 8 MB in five minutes: 28 KB a second.
        const { url } = yield* start(sink.url, 300);
        let answer = yield* post(url, "acme", noise(250));
        for (let i = 0; answer.status === 200; i++) {
          assert.isBelow(i, 200, "it is never held back");
          yield* Effect.sleep(100);
          assert.strictEqual((yield* post(url, "globex", noise(1))).status, 200);
          answer = yield* post(url, "acme", noise(250));
        }
        assert.strictEqual(answer.status, 429, answer.text);
        assert.include(answer.text, "over_share");
        assert.isAbove(Number(answer.retryAfter), 0);
        for (let i = 0; i < 5; i++) assert.strictEqual((yield* post(url, "globex", noise(1))).status, 200);
        const { books, unexplained } = yield* untilBuffer(
          "the delivery of what was taken",
          url,
          "acme-job",
          (report) => report.books.accepted.records > 0 && report.books.pending.records === 0,
        );
        assert.deepStrictEqual([books.expired.records, unexplained.records], [0, 0], "what was taken is not given up");
      }),
    120_000,
  );
});
