import { assert, describe, it, inject } from "vitest";
import { mkdtemp, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ask, type Answered, until } from "../control-thread/blocked-world.ts";
import { freePort, killHard, natsPidsOf, type SpillwayProcess, startSpillway } from "../support/spillway-process.ts";
import { removeTree } from "../support/remove-tree.ts";

const preload = fileURLToPath(new URL("../support/block-on-signal.mjs", import.meta.url));

const isKnown = ({ headers }: Answered) => headers["spillway-as-of"] !== undefined;

const slowest = (answers: ReadonlyArray<Answered>, part: number): number =>
  answers.map(({ tookMillis }) => tookMillis).toSorted((a, b) => a - b)[Math.floor(answers.length * part)]!;

/** A `spillway dev` whose main thread SIGUSR2 blocks for 3 s. */
const withSpillway = async (
  use: (spillway: SpillwayProcess) => Promise<void>,
  options: { readonly env?: Readonly<Record<string, string>>; readonly destination?: object } = {},
): Promise<void> => {
  const root = await mkdtemp(join(tmpdir(), "spillway-control-"));
  const data = join(root, "data");
  const jobs = join(root, "jobs.json");
  const { destination = { kind: "file", path: join(root, "out") }, env } = options;
  await writeFile(jobs, JSON.stringify([{ id: "ash", customer: "ash", dataset: "d", destination }]));
  const where = { data, jobs, port: await freePort(), nats: inject("natsServer") };
  const spillway = await startSpillway({ ...where, env: { NODE_OPTIONS: `--import ${preload}`, ...env } });
  try {
    await use(spillway);
  } finally {
    if (spillway.child.exitCode === null) killHard(spillway.child.pid!);
    await spillway.exited;
    await until(
      () => Promise.resolve(natsPidsOf(data)),
      (pids) => pids.length === 0,
    );
    await removeTree(root);
  }
};

describe("a node whose main thread is blocked", () => {
  it("answers control reads in less than 250 ms, says how old they are, and takes records again after it", () =>
    withSpillway(async ({ child, controlUrl, url }) => {
      const body = `${JSON.stringify({ line: 1 })}\n`;
      const send = () => ask(`${url}/v1/ingest/d`, { method: "POST", headers: { "spillway-customer": "ash" }, body });
      assert.strictEqual((await send()).status, 200);
      const paths = ["/v1/books", "/v1/limits", "/v1/jobs/ash", "/readyz", "/healthz", "/metrics", "/v1/version"];
      for (const path of paths) assert.strictEqual((await ask(`${controlUrl}${path}`)).status, 200, path);
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      child.kill("SIGUSR2");
      await until(() => ask(`${controlUrl}/v1/books`), isKnown);
      const blocked: Array<Answered> = [];
      for (let turned = false; !turned;) {
        const round = await Promise.all(paths.map((path) => ask(`${controlUrl}${path}`, { agent })));
        blocked.push(...round);
        turned = !isKnown(round[0]!);
      }
      agent.destroy();
      assert.isAtLeast(blocked.filter(isKnown).length, 30);
      assert.deepStrictEqual(
        blocked.filter(({ status }) => status !== 200).map(({ text }) => text),
        [],
      );
      assert.isBelow(slowest(blocked, 0.99), 250);
      assert.strictEqual((await send()).status, 200);
      const books = await until(
        () => ask(`${controlUrl}/v1/books`),
        (answer) => !isKnown(answer) && JSON.parse(answer.text).totals.books.accepted.records === 2,
      );
      assert.strictEqual(JSON.parse(books.text).totals.unexplained.records, 0);
    }));
});

/** Takes two seconds for each batch: so long does a drain wait for it. */
const slowReceiver = async () => {
  const server = createServer((request, response) => {
    request.resume();
    setTimeout(() => response.end(), 2_000);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: async () => void server.close() };
};

describe("a node that drains", () => {
  it("answers at the control address, unready, for longer than it takes records", async () => {
    await using receiver = await slowReceiver();
    await withSpillway(
      async ({ child, controlUrl, exited, output, url }) => {
        const seen = new Set<string>();
        const look = async () => {
          const data = await ask(`${url}/healthz`).then(
            () => "open",
            () => "closed",
          );
          const ready = await ask(`${controlUrl}/readyz`, { headers: { "cache-control": "no-cache" } }).then(
            ({ status, text }) => `${status}${text.includes("draining") ? " draining" : ""}`,
            () => "gone",
          );
          seen.add(`${data}, ${ready}`);
          return ready;
        };
        assert.strictEqual(await look(), "200");
        const body = `${JSON.stringify({ line: 1 })}\n`;
        const headers = { "spillway-customer": "ash" };
        assert.strictEqual((await ask(`${url}/v1/ingest/d`, { method: "POST", headers, body })).status, 200);
        // Scanned, so that there is something to be drained.
        await until(
          async () => (await ask(`${url}/v1/books`)).text,
          (text) => JSON.parse(text).totals.books.accepted.records === 1,
        );
        child.kill("SIGTERM");
        await until(look, (ready) => ready === "gone");
        assert.strictEqual(await exited, 0);
        assert.include(output(), "Drained.");
        assert.include([...seen], "closed, 503 draining");
        assert.notInclude([...seen], "closed, 200");
      },
      { destination: { kind: "http", url: receiver.url } },
    );
  });
});

describe("the token", () => {
  it("is asked for at both addresses", () =>
    withSpillway(
      async ({ controlUrl, url }) => {
        for (const base of [url, controlUrl]) {
          assert.strictEqual((await ask(`${base}/v1/books`)).status, 401);
          const headers = { authorization: "Bearer correct-horse" };
          assert.strictEqual((await ask(`${base}/v1/books`, { headers })).status, 200);
        }
      },
      { env: { SPILLWAY_TOKEN: "correct-horse" } },
    ));
});
