import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { afterAll, assert, beforeAll, describe, inject, it } from "vitest";
import { type DeafProxy, startDeafProxy } from "../support/deaf-proxy.ts";
import { type SpawnedNats, startSpawnedNats } from "../support/nats-spawned.ts";
import { serveNode, type ServedNode } from "../support/served-node.ts";
import { removeTree } from "../support/remove-tree.ts";

/**
 * Everything but the logs and the checkpoints: no answer from the stores of jobs, configurations, dead letters, kill
 * switches and drills, none from the audit log, and nobody who says what JetStream is doing as a whole.
 */
const allButLogs = /^(\$JS\.API\.INFO$|\$JS\.API\..*\b(KV_\w+|CONFIG|AUDIT|DEAD)\b|\$KV\.|config\.|audit\b|dead\.)/;

let directory: string;
let server: SpawnedNats;
let nats: DeafProxy;
const arrived: Array<number> = [];
const receiver: Server = createServer((request, response) => {
  const parts: Array<Buffer> = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    for (const line of gunzipSync(Buffer.concat(parts)).toString().trim().split("\n"))
      arrived.push((JSON.parse(line) as { readonly id: number }).id);
    response.end("ok");
  });
});

const until = async (what: string, isSo: () => boolean | Promise<boolean>, millisMax = 20_000) => {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > millisMax) assert.fail(`not in ${millisMax} ms: ${what}`);
    await sleep(30);
  }
};

const jobOf = (customer: string) => ({
  id: customer,
  customer,
  dataset: "d",
  destination: { kind: "http", url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` },
  batch: { maxIntervalSeconds: 1 },
});

const start = async (name: string, jobs?: ReadonlyArray<object>) => {
  await mkdir(join(directory, name), { recursive: true });
  const file = join(directory, name, "jobs.json");
  if (jobs !== undefined) await writeFile(file, JSON.stringify({ jobs }));
  return serveNode(
    join(directory, name),
    {
      nats: { servers: nats.url },
      partitions: 2,
      nodeName: name,
      allowPrivateDestinations: true,
      limits: { removalGraceSeconds: 1, rolloutWatchMillis: 0, rolloutCanaryPercent: 100, addedPercentMax: 100 },
    },
    jobs === undefined ? undefined : file,
  );
};

let next = 0;
const send = async ({ url }: ServedNode, customer: string) => {
  const id = (next += 1);
  const answer = await fetch(`${url}/v1/ingest/d`, {
    method: "POST",
    headers: { "spillway-customer": customer },
    body: `{"id":${id}}\n`,
  });
  return { id, status: answer.status, body: (await answer.json()) as any };
};

const ask = async ({ url }: ServedNode, path: string, init: RequestInit = {}) => {
  const answer = await fetch(`${url}${path}`, { ...init, headers: { "content-type": "application/json" } });
  return { status: answer.status, text: await answer.text() };
};

const put = (node: ServedNode, customer: string) =>
  ask(node, `/v1/jobs/${customer}`, { method: "PUT", body: JSON.stringify(jobOf(customer)) });

const isDelivered = (node: ServedNode, customer: string) => async () => {
  const { body, id, status } = await send(node, customer);
  if (status !== 200 || body.accepted !== 1) return false;
  await until(`record ${id} of ${customer} arrives`, () => arrived.includes(id), 15_000);
  return true;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "spillway-alone-"));
  server = await startSpawnedNats(inject("natsServer"));
  nats = await startDeafProxy(server.url);
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
}, 60_000);

afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await nats[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await removeTree(directory);
});

describe("a node that starts while only its logs and checkpoints are answered", () => {
  let node: ServedNode;

  it("accepts and delivers by its last known good, with its jobs file and all", { timeout: 120_000 }, async () => {
    node = await start("one", [jobOf("ash")]);
    await until("the first delivery", isDelivered(node, "ash"));
    await node.kill();

    nats.deafTo(allButLogs);
    // It names a job more: stored when that is possible.
    node = await start("one", [jobOf("ash"), jobOf("elm")]);
    assert.isTrue(await isDelivered(node, "ash")());
    assert.strictEqual((await send(node, "elm")).body.unconfigured, 1);
    assert.isAbove(nats.swallowed().size, 3);
  });

  it("answers what it knows, and says why it takes no change", { timeout: 60_000 }, async () => {
    const list = await ask(node, "/v1/jobs");
    assert.strictEqual(list.status, 200, list.text);
    assert.include(list.text, '"ash"');
    const refused = await put(node, "oak");
    assert.strictEqual(refused.status, 503, refused.text);
    assert.match(refused.text, /not_audited.*audit log.*not open/s);
    assert.strictEqual((await ask(node, "/v1/config/status")).status, 503);
    assert.strictEqual((await ask(node, "/readyz")).status, 200);
    await until("the alert", async () => (await ask(node, "/v1/alerts")).text.includes('"storeNotOpen"'), 30_000);
    const { text } = await ask(node, "/metrics");
    for (const store of ["jobs", "configurations", "audit", "deadLetters"])
      assert.match(text, new RegExp(`^spillway_store_not_open\\{[^}]*store="${store}"[^}]*\\} 1$`, "m"));
  });

  it("catches up by itself when they answer again", { timeout: 60_000 }, async () => {
    nats.deafTo(undefined);
    await until("a change is taken", async () => (await put(node, "oak")).status === 201);
    await until("the change is live", isDelivered(node, "oak"));
    await until("the jobs file is live", isDelivered(node, "elm"));
    assert.isTrue(await isDelivered(node, "ash")());
    await until(
      "no store is missed",
      async () => !/^spillway_store_not_open\{.*\} 1$/m.test((await ask(node, "/metrics")).text),
    );
  });

  it(
    "accepts nothing without a last known good, says why, and begins when it is told",
    { timeout: 90_000 },
    async () => {
      nats.deafTo(allButLogs);
      const fresh = await start("two");
      const starting = await send(fresh, "ash");
      assert.strictEqual(starting.status, 503);
      assert.strictEqual(starting.body.error.code, "starting");
      assert.match(starting.body.error.message, /configurations: .*(timeout|answer)/i);
      const list = await ask(fresh, "/v1/jobs");
      assert.strictEqual(list.status, 503, list.text);
      nats.deafTo(undefined);
      await until("it accepts and delivers", isDelivered(fresh, "ash"));
      await until("it knows all jobs", async () => (await ask(fresh, "/v1/jobs")).text.includes('"oak"'));
      await fresh.stop();
      await node.stop();
    },
  );
});
