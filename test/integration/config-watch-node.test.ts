import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, assert, beforeAll, describe, inject, it } from "vitest";
import type { ConfigPlan, ConfigStatus } from "../../src/domain/config-report.ts";
import { segmentCount, segmentOf } from "../../src/domain/segment-of.ts";
import { type SpawnedNats, startSpawnedNats } from "../support/nats-spawned.ts";
import { serveNode, type ServedNode } from "../support/served-node.ts";
import { removeTree } from "../support/remove-tree.ts";

/** Half of the customers, watched for longer than it takes to see that less is delivered; then all. */
const limits = {
  rolloutCanaryPercent: 50,
  rolloutWatchMillis: 25_000,
  rolloutSilenceMillisMax: 3_000,
  rolloutBreachesMax: 2,
  smallChangeJobsMax: 1,
  removedPercentMax: 10,
  redirectedPercentMax: 100,
};

/** The names that one half of the segments has, so many of them. */
const named = (prefix: string, count: number, isFirst: boolean): ReadonlyArray<string> =>
  Array.from({ length: 10 * count + 100 }, (_, i) => `${prefix}-${i}`)
    .filter((name) => segmentOf(name) < segmentCount / 2 === isFirst)
    .slice(0, count);

const heavy = named("heavy", 8, true);
const light = [...named("light", 6, true), ...named("light", 4, false)];
const grown = [...named("grown", 200, true), ...named("grown", 100, false)];

const receiver: Server = createServer((request, response) => {
  request.resume();
  request.on("end", () => void response.end("ok"));
});
const sending = { on: true };
let directory: string;
let nats: SpawnedNats;
let leader: ServedNode;
let nodes: ReadonlyArray<ServedNode>;
let traffic: Promise<void>;

const urlOf = () => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/in`;
/** Nobody listens there. */
const dead = "http://127.0.0.1:1/in";
const jobOf = (customer: string, url = urlOf(), batch: object = {}) => ({
  id: `${customer}-job`,
  customer,
  dataset: "app_log",
  destination: { kind: "http", url },
  batch: { maxIntervalSeconds: 1, ...batch },
});

const settings = (roles: ReadonlyArray<string>, nodeName: string) => ({
  nats: { servers: nats.url },
  partitions: 4,
  roles,
  nodeName,
  allowPrivateDestinations: true,
  limits,
});

/** A node that is away is passed over. */
const post = (node: ServedNode, customer: string, records: number) =>
  fetch(`${node.url}/v1/ingest/app_log`, {
    method: "POST",
    headers: { "spillway-customer": customer },
    body: `{"x":1}\n`.repeat(records),
  })
    .then((answer) => answer.text())
    .catch(() => "");

const send = async () => {
  for (let turn = 0; sending.on; turn++) {
    const node = nodes[turn % nodes.length]!;
    await Promise.all([
      ...heavy.map((customer) => post(node, customer, 200)),
      ...light.map((customer) => post(node, customer, 20)),
    ]);
    await sleep(200);
  }
};

const api = async <A>(path: string, body?: object): Promise<A> => {
  const init = body && { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(`${leader.url}${path}`, init ?? {});
  assert.isTrue(answer.ok, `${path}: ${await answer.clone().text()}`);
  return (await answer.json()) as A;
};

const statusUntil = async (what: string, isSo: (status: ConfigStatus) => boolean, millisMax = 20_000) => {
  const deadline = performance.now() + millisMax;
  for (;;) {
    const status = await api<ConfigStatus>("/v1/config/status");
    if (isSo(status)) return status;
    if (performance.now() > deadline) assert.fail(`not in ${millisMax} ms: ${what}; ${JSON.stringify(status)}`);
    await sleep(100);
  }
};

const change = (changes: ReadonlyArray<object>) => api("/v1/jobs/transactions", { changes, reason: "a test" });
const putAll = (customers: ReadonlyArray<string>, url?: string, batch?: object) =>
  change(customers.map((customer) => ({ put: jobOf(customer, url, batch) })));

const atRest = (jobs: number) =>
  statusUntil(
    `${jobs} jobs are in force everywhere`,
    ({ inForce, nodes: all, pending, rollout }) =>
      inForce?.jobs === jobs &&
      pending === 0 &&
      rollout.state === "idle" &&
      all.every(({ serves }) => serves?.hash === inForce.hash),
  );
const watched = () =>
  statusUntil(
    "half of the customers are watched",
    ({ rollout }) => rollout.state === "watching" && rollout.percent < 100,
  );
const over = ({ rollout: { target } }: ConfigStatus) =>
  statusUntil("it is over", ({ last, rollout }) => rollout.state === "idle" && last?.number === target?.number, 50_000);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "spillway-watch-"));
  nats = await startSpawnedNats(inject("natsServer"));
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  for (const name of ["leader", "a", "b"]) await mkdir(join(directory, name));
  const jobs = join(directory, "jobs.json");
  await writeFile(jobs, JSON.stringify([...heavy, ...light].map((customer) => jobOf(customer))));
  leader = await serveNode(join(directory, "leader"), settings(["control"], "leader"), jobs);
  nodes = await Promise.all(
    ["a", "b"].map((name) => serveNode(join(directory, name), settings(["forwarder", "owner"], name))),
  );
  await atRest(heavy.length + light.length);
  traffic = send();
}, 90_000);

afterAll(async () => {
  sending.on = false;
  await traffic;
  for (const node of [...nodes, leader]) await node.kill();
  receiver.close();
  await nats[Symbol.asyncDispose]();
  await removeTree(directory);
});

describe("a rollout that is watched, on nodes with traffic", () => {
  it("is not taken back for what it is to do: less is delivered, for that was accepted, and there are more buffers", async () => {
    // A baseline.
    await sleep(15_000);
    await change([
      ...heavy.map((customer) => ({ remove: `${customer}-job` })),
      ...grown.map((customer) => ({ put: jobOf(customer) })),
    ]);
    await statusUntil("too much is removed", ({ refusal }) => refusal !== null);
    const { verdict } = await api<ConfigPlan>("/v1/config/plan");
    await api("/v1/config/apply", { accept: verdict!.snapshot });
    const canary = await watched();
    for (let from = 0; from < grown.length; from += 20)
      await Promise.all(grown.slice(from, from + 20).map((customer) => post(nodes[0]!, customer, 1)));
    const { last } = await over(canary);
    assert.strictEqual(last?.result, "complete", last?.reason);
    await atRest(light.length + grown.length);
  }, 120_000);

  it("is taken back when what it changes does not arrive where it is sent, though everything else does", async () => {
    const moved = grown.slice(0, 60);
    await putAll(moved, dead);
    const canary = await watched();
    const failing = Promise.all(moved.map((customer) => post(nodes[0]!, customer, 1)));
    const { last } = await over(canary);
    await failing;
    assert.strictEqual(last?.result, "rolledBack");
    assert.match(last?.reason ?? "", /of the pushes of what was changed fail/);
    const { frozen } = await api<ConfigStatus>("/v1/config/status");
    assert.strictEqual(frozen?.who, "spillway");
  }, 90_000);

  it("is taken back when an owner dies meanwhile, though who leads is well and so is the other one", async () => {
    // Nobody is sent elsewhere any more.
    await putAll(grown.slice(0, 60), undefined, { maxRecords: 5_000 });
    await api("/v1/config/unfreeze", {});
    const canary = await watched();
    await nodes[1]!.kill();
    const { last } = await over(canary);
    assert.strictEqual(last?.result, "rolledBack");
    assert.strictEqual(last?.reason, "nothing is heard of how it goes on b");
  }, 90_000);
});
