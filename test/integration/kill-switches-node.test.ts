import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { Effect } from "effect";
import { afterAll, assert, beforeAll, describe, inject, it } from "vitest";
import type { AlertsReport } from "../../src/api/alert-reports.ts";
import type { BufferSummary } from "../../src/api/buffer-reports.ts";
import type { SwitchAnswer } from "../../src/api/switch-reports.ts";
import { runSpillway } from "../cli/run-spillway.ts";
import { type SpawnedNats, startSpawnedNats } from "../support/nats-spawned.ts";
import { serveNode, type ServedNode } from "../support/served-node.ts";
import { removeTree } from "../support/remove-tree.ts";

const customers = ["c-17", "globex", "initech"] as const;
type Customer = (typeof customers)[number];

/** What has arrived, and when; each record knows its number. */
class Receiver {
  readonly arrivals: Array<{ readonly customer: string; readonly id: number; readonly millis: number }> = [];
  readonly server: Server = createServer((request, response) => {
    const parts: Array<Buffer> = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const customer = request.url!.split("/")[1]!;
      const lines = gunzipSync(Buffer.concat(parts)).toString().trim().split("\n");
      const millis = performance.now();
      for (const line of lines) {
        this.arrivals.push({ customer, id: (JSON.parse(line) as { readonly id: number }).id, millis });
      }
      response.end("ok");
    });
  });

  of(customer: Customer, sinceMillis = 0): ReadonlyArray<number> {
    return this.arrivals.filter((each) => each.customer === customer && each.millis >= sinceMillis).map(({ id }) => id);
  }
}

const receiver = new Receiver();
const acknowledged = new Map<Customer, Set<number>>(customers.map((customer) => [customer, new Set()]));
const refused = new Map<Customer, number>();
const sending = { on: true };
let next = 0;
let directory: string;
let nats: SpawnedNats;
let owner: ServedNode;
let other: ServedNode;
let traffic: Promise<void>;

const settings = (roles: ReadonlyArray<string>, nodeName: string) => ({
  nats: { servers: nats.url },
  partitions: 2,
  roles,
  nodeName,
  allowPrivateDestinations: true,
});

const startOwner = async () => {
  owner = await serveNode(
    join(directory, "owner"),
    settings(["forwarder", "owner", "control"], "owner"),
    join(directory, "jobs.json"),
  );
};

const post = async (url: string, customer: Customer, dataset: string) => {
  const id = (next += 1);
  const answer = await fetch(`${url}/v1/ingest/${dataset}`, {
    method: "POST",
    headers: { "spillway-customer": customer },
    body: `{"id":${id}}\n`,
  });
  const text = await answer.text();
  if (answer.status === 200) acknowledged.get(customer)!.add(id);
  else refused.set(customer, (refused.get(customer) ?? 0) + 1);
  return { status: answer.status, retryAfter: answer.headers.get("retry-after"), text };
};

/** Through both doors in turn, to both datasets, as long as it is wanted. A node that is away is passed over. */
const send = async () => {
  for (let turn = 0; sending.on; turn++) {
    const { url } = turn % 2 === 0 ? owner : other;
    for (const customer of customers) {
      await post(url, customer, turn % 4 < 2 ? "app_log" : "http_requests").catch(() => {});
    }
    await sleep(20);
  }
};

const until = async (what: string, isSo: () => boolean | Promise<boolean>, millisMax = 20_000) => {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > millisMax) assert.fail(`not in ${millisMax} ms: ${what}`);
    await sleep(20);
  }
  return performance.now() - start;
};

const json = async <A>(url: string, init: RequestInit = {}): Promise<A> => {
  const answer = await fetch(url, { ...init, headers: { "content-type": "application/json", ...init.headers } });
  assert.strictEqual(answer.status, 200, await answer.clone().text());
  return (await answer.json()) as A;
};

const add = (node: ServedNode, input: object, dryRun = false) =>
  json<SwitchAnswer>(`${node.url}/v1/switches${dryRun ? "?dryRun=true" : ""}`, {
    method: "POST",
    body: JSON.stringify(input),
  });

const remove = (node: ServedNode, id: string) => json(`${node.url}/v1/switches/${id}`, { method: "DELETE" });

const switchesOn = async (node: ServedNode): Promise<number> =>
  (await json<{ readonly switches: ReadonlyArray<unknown> }>(`${node.url}/v1/switches`)).switches.length;

const buffersOf = async (customer: Customer) =>
  (await json<{ readonly buffers: ReadonlyArray<BufferSummary> }>(`${owner.url}/v1/buffers?customer=${customer}`))
    .buffers;

const backlogOf = async (customer: Customer): Promise<number> =>
  (await buffersOf(customer)).reduce((sum, { backlogRecords }) => sum + backlogRecords, 0);

const totals = async () =>
  (
    await json<{
      readonly totals: {
        readonly unexplained: { readonly records: number };
        readonly books: {
          readonly pending: { readonly records: number };
          readonly accepted: { readonly records: number };
        };
      };
    }>(`${owner.url}/v1/books`)
  ).totals;

const accepted = () => customers.reduce((sum, customer) => sum + acknowledged.get(customer)!.size, 0);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "spillway-switches-"));
  nats = await startSpawnedNats(inject("natsServer"));
  await new Promise<void>((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
  const { port } = receiver.server.address() as AddressInfo;
  const jobs = customers.flatMap((customer) =>
    ["app_log", "http_requests"].map((dataset) => ({
      id: `${customer}-${dataset}`,
      customer,
      dataset,
      destination: { kind: "http", url: `http://127.0.0.1:${port}/${customer}` },
      batch: { maxIntervalSeconds: 1 },
    })),
  );
  await writeFile(join(directory, "jobs.json"), JSON.stringify(jobs));
  for (const name of ["owner", "other"]) await mkdir(join(directory, name));
  await startOwner();
  other = await serveNode(join(directory, "other"), settings(["forwarder"], "other"));
  traffic = send();
}, 60_000);

afterAll(async () => {
  sending.on = false;
  await traffic;
  await Promise.all([owner.kill(), other.kill()]);
  await nats[Symbol.asyncDispose]();
  receiver.server.closeAllConnections();
  receiver.server.close();
  await removeTree(directory);
}, 30_000);

describe("a kill switch on two nodes", () => {
  it("stops a customer's deliveries within two seconds wherever it is thrown, and nobody else's", async () => {
    await until("everybody is served", () => customers.every((customer) => receiver.of(customer).length > 0));
    const wanted = { kind: "customer", target: "c-17" };
    const before = await add(other, wanted, true);
    assert.deepInclude(before.effect, { jobs: 2, customers: 1, datasets: 2, destinations: 1, partitionsUnheard: 0 });
    assert.deepStrictEqual([await switchesOn(owner), await switchesOn(other)], [0, 0]);

    const thrown = performance.now();
    const { effect } = await add(other, wanted);
    assert.deepInclude(effect, { jobs: 2, customers: 1, datasets: 2, destinations: 1 });
    await until("the owner knows it", async () => (await switchesOn(owner)) === 1, 2_000);
    await sleep(Math.max(0, 2_000 - (performance.now() - thrown)));
    const held = performance.now();
    const globexBefore = receiver.of("globex").length;
    await until("the others go on", () => receiver.of("globex").length > globexBefore + 20);
    await sleep(1_500);
    assert.deepStrictEqual(receiver.of("c-17", held), []);
    // Only the delivery: its records still get in, and wait.
    assert.strictEqual((await post(other.url, "c-17", "app_log")).status, 200);
    for (const url of [other.url, other.controlUrl]) {
      assert.deepStrictEqual(await json(`${url}/healthz`), { status: "ok", killSwitches: { customer: 1 } });
    }
  });

  it("says beforehand what it holds, and the books say the same afterwards", async () => {
    sending.on = false;
    await traffic;
    const waiting = acknowledged.get("c-17")!.size - new Set(receiver.of("c-17")).size;
    assert.isAbove(waiting, 0);
    await until("all is scanned", async () => (await totals()).books.accepted.records === accepted());
    await until(
      "the others are delivered",
      async () => (await backlogOf("globex")) + (await backlogOf("initech")) === 0,
    );
    assert.strictEqual(await backlogOf("c-17"), waiting);
    const buffers = await buffersOf("c-17");
    for (const { lastError } of buffers) assert.match(lastError ?? "", /the kill switch for customer c-17 is on/);
    const bytes = buffers.reduce((sum, { backlogBytes }) => sum + backlogBytes, 0);
    for (const node of [owner, other]) {
      const { effect } = await add(node, { kind: "customer", target: "c-17", replace: true }, true);
      assert.deepInclude(effect, { buffers: 2, backlogRecords: waiting, backlogBytes: bytes, partitionsUnheard: 0 });
    }
    const { books, unexplained } = await totals();
    assert.deepStrictEqual([books.pending.records, unexplained.records], [waiting, 0]);
    sending.on = true;
    traffic = send();
  });

  it("is kept over a restart when the store has lost it", async () => {
    await owner.kill();
    const connection = await connect({ servers: nats.url });
    await (await jetstreamManager(connection)).streams.delete("KV_switches");
    await connection.close();
    await startOwner();
    assert.strictEqual(await switchesOn(owner), 1);
    const restarted = performance.now();
    await until("the others are served again", () => receiver.of("globex", restarted).length > 20);
    await sleep(1_500);
    assert.deepStrictEqual(receiver.of("c-17", restarted), []);
    assert.isAbove(await backlogOf("c-17"), 0);
    assert.strictEqual(await switchesOn(other), 1);
  }, 90_000);

  it("taken away, lets all of it be delivered, on every node", async () => {
    await remove(owner, "customer-c-17");
    assert.strictEqual(await switchesOn(owner), 0);
    await until("the other knows it", async () => (await switchesOn(other)) === 0);
    sending.on = false;
    await traffic;
    const missing = (customer: Customer) => {
      const arrived = new Set(receiver.of(customer));
      return [...acknowledged.get(customer)!].filter((id) => !arrived.has(id));
    };
    await until("nothing waits", () => customers.every((customer) => missing(customer).length === 0));
    await until("the books know it", async () => (await totals()).books.pending.records === 0);
    const { unexplained } = await totals();
    assert.strictEqual(unexplained.records, 0);
    sending.on = true;
    traffic = send();
  }, 90_000);

  it("refuses at both doors with 503, and books it as refused", async () => {
    const thrown = await Effect.runPromise(
      runSpillway(["kill", "add", "customer", "c-17", "--stop", "both", "--nats", nats.url, "--force", "--yes"]),
    );
    assert.strictEqual(thrown.code, 0, thrown.stderr);
    for (const node of [owner, other]) {
      await until("the door refuses", async () => (await post(node.url, "c-17", "app_log")).status === 503, 2_000);
      const answer = await post(node.url, "c-17", "app_log");
      assert.deepStrictEqual([answer.status, answer.retryAfter], [503, "10"]);
      assert.match(answer.text, /"code":"switched_off"/);
      assert.strictEqual((await post(node.url, "globex", "app_log")).status, 200);
      const metrics = await (await fetch(`${node.url}/metrics`)).text();
      assert.match(metrics, /^spillway_ingest_refused_records_total\{reason="switched-off"\} [1-9]/m);
      assert.match(metrics, /^spillway_kill_switches\{kind="customer"\} 1$/m);
    }
    const audit = await Effect.runPromise(runSpillway(["audit", "--json", "--url", owner.url]));
    assert.include(audit.stdout, "kill add customer-c-17");
    const lifted = await Effect.runPromise(runSpillway(["kill", "remove", "customer", "c-17", "--nats", nats.url]));
    assert.strictEqual(lifted.code, 0, lifted.stderr);
    for (const node of [owner, other]) {
      await until("the door is open", async () => (await post(node.url, "c-17", "app_log")).status === 200, 2_000);
    }
  }, 60_000);

  it("is an alert while it is on, each of them, on every node, and resolved when it is taken away", async () => {
    // More than other rules have room for.
    const ids = Array.from({ length: 25 }, (_, i) => `customer-nobody-${i}`);
    await Promise.all(ids.map((_, i) => add(owner, { kind: "customer", target: `nobody-${i}`, force: true })));
    const alertsOf = async (node: ServedNode, state: string) => {
      const { alerts } = await json<AlertsReport>(`${node.url}/v1/alerts`);
      return alerts.flatMap((each) =>
        each.rule === "killSwitchOn" && each.state === state ? [each.labels["name"]!] : [],
      );
    };
    const all = (state: string) => async () => {
      const seen = await Promise.all([owner, other].map((node) => alertsOf(node, state)));
      return seen.every((names) => ids.every((id) => names.includes(id)));
    };
    await until("each is an alert", all("firing"), 10_000);
    const { leftOut } = await json<AlertsReport>(`${owner.url}/v1/alerts`);
    assert.deepStrictEqual(
      leftOut.filter(({ rule }) => rule === "killSwitchOn"),
      [],
    );
    await Promise.all(ids.map((id) => remove(other, id)));
    await until("each is resolved", all("resolved"), 10_000);
    assert.deepStrictEqual(await alertsOf(owner, "firing"), []);
  }, 60_000);
});
