import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, describe, inject, it } from "vitest";
import type { ReceiptReport } from "../../src/api/buffer-reports.ts";
import { freePort, killHard, type SpillwayProcess, startSpillway } from "../support/spillway-process.ts";
import { removeTree } from "../support/remove-tree.ts";

/** Nobody listens there. */
const dead = "http://127.0.0.1:1/in";
const megabyte = `{"x":"${"y".repeat(1_000)}"}\n`.repeat(1_000);

const post = async (node: SpillwayProcess, customer: string, body: string) => {
  const headers = { "content-type": "application/x-ndjson", "spillway-customer": customer };
  const answer = await fetch(`${node.url}/v1/ingest/app_log`, { method: "POST", headers, body });
  return { status: answer.status, retryAfter: answer.headers.get("retry-after"), text: await answer.text() };
};

/** A whole node, wired as a user runs it. */
const withNode = async (use: (node: SpillwayProcess) => Promise<void>) => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-quota-"));
  const job = (customer: string, destination: object) => ({
    id: `${customer}-job`,
    customer,
    dataset: "app_log",
    destination,
    batch: { maxIntervalSeconds: 1 },
  });
  const jobs = [
    job("acme", { kind: "http", url: dead }),
    job("globex", { kind: "file", path: join(directory, "out") }),
  ];
  const limits = { backlogBytesPerCustomerMax: 1_048_576, bufferClosedBatchesMax: 1, refusalQuietMillis: 1_000 };
  await writeFile(join(directory, "jobs.json"), JSON.stringify(jobs));
  await writeFile(
    join(directory, "spillway.json"),
    JSON.stringify({ embedded: true, allowPrivateDestinations: true, limits }),
  );
  const node = await startSpillway({
    data: join(directory, "data"),
    jobs: join(directory, "jobs.json"),
    port: await freePort(),
    nats: inject("natsServer"),
    flags: ["--config", join(directory, "spillway.json")],
  });
  const nats = node.natsPid();
  try {
    await use(node);
  } finally {
    node.child.kill("SIGTERM");
    await node.exited;
    killHard(nats);
    await removeTree(directory);
  }
};

const refusalsAt = async (node: SpillwayProcess): Promise<ReadonlyArray<ReceiptReport>> => {
  const answer = await fetch(`${node.url}/v1/receipts?reason=refused`);
  return ((await answer.json()) as { readonly receipts: ReadonlyArray<ReceiptReport> }).receipts;
};

const recordsOf = (found: ReadonlyArray<ReceiptReport>): number => found.reduce((sum, { records }) => sum + records, 0);

describe("a node with a dead destination", () => {
  it("refuses its customer's dataset once the backlog is over the quota, and nobody else's", () =>
    withNode(async (node) => {
      const deadline = performance.now() + 30_000;
      let answer = await post(node, "acme", megabyte);
      while (answer.status === 200 && performance.now() < deadline) {
        await new Promise((resume) => setTimeout(resume, 200));
        answer = await post(node, "acme", megabyte);
      }
      assert.deepStrictEqual([answer.status, answer.retryAfter], [429, "10"], answer.text);
      assert.strictEqual((await post(node, "globex", megabyte)).status, 200);
      const metrics = await (await fetch(`${node.url}/metrics`)).text();
      assert.match(metrics, /^spillway_admission_state 0$/m);
      assert.match(metrics, /^spillway_customers_over_quota 1$/m);
      assert.match(metrics, /^spillway_ingest_refused_records_total\{reason="over-quota"\} 1000$/m);
      // Sent again and refused again: each repetition is counted.
      assert.strictEqual((await post(node, "acme", megabyte)).status, 429);
      let found = await refusalsAt(node);
      while (recordsOf(found) < 2_000 && performance.now() < deadline) {
        await new Promise((resume) => setTimeout(resume, 200));
        found = await refusalsAt(node);
      }
      assert.strictEqual(recordsOf(found), 2_000);
      assert.strictEqual(
        found.reduce((sum, { bytes }) => sum + bytes, 0),
        2 * megabyte.length,
      );
      for (const { firstSequence, lastSequence, millis, customer, dataset, refusal } of found) {
        assert.deepStrictEqual([customer, dataset, refusal?.door], ["acme", "app_log", "over-quota"]);
        assert.deepStrictEqual([firstSequence, lastSequence], [0, 0]);
        assert.isAtMost(refusal!.fromMillis, millis);
        assert.isNotEmpty(refusal!.node);
      }
      const others = await (await fetch(`${node.url}/v1/receipts?reason=refused&customer=globex`)).json();
      assert.deepStrictEqual(others, { receipts: [] });
    }));
});
