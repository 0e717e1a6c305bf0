import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { freePort, killHard, natsPidsOf, type SpillwayProcess, startSpillway } from "./spillway-process.ts";
import { removeTree } from "./remove-tree.ts";

/** Whom the reaper comes for. `group`: Spillway, nats-server and the watcher between them, all at once. */
export type Victim = "group" | "spillway" | "nats-server";

export interface KillRunResult {
  readonly acknowledged: number;
  readonly missing: ReadonlyArray<string>;
  /** Records that occur more than once in the object store (here: files), which must hold each exactly once. */
  readonly duplicated: ReadonlyArray<string>;
  readonly unexplained: number;
  readonly auditDifference: number;
  readonly pending: number;
}

interface Books {
  readonly jobs: ReadonlyArray<{ readonly state: string }>;
  readonly totals: {
    readonly books: { readonly pending: { readonly records: number }; readonly accepted: { readonly records: number } };
    readonly unexplained: { readonly records: number; readonly bytes: number };
  };
}

interface Audit {
  readonly jobs: ReadonlyArray<{ readonly difference: { readonly records: number; readonly bytes: number } }>;
}

const customers = ["ash", "birch", "cedar", "dogwood"] as const;
const settleMillisMax = 30_000;

/** Deterministic: the same seed kills at the same moments (as far as the machine lets it). */
const random = (seed: number) => {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
};

/**
 * Sends numbered records to a running Spillway, kills what it is told to at a random moment, starts it again, and
 * compares what was acknowledged with what is in the destination.
 */
export const killRun = async (nats: string, victim: Victim, seed: number): Promise<KillRunResult> => {
  const next = random(seed);
  const root = await mkdtemp(join(tmpdir(), "spillway-kill-"));
  const data = join(root, "data");
  const jobs = join(root, "jobs.json");
  writeJobs(jobs, join(root, "out"));
  const port = await freePort();
  let spillway = await startSpillway({ data, jobs, port, nats });
  try {
    const producer = startProducer(spillway.url, next);
    await sleep(200 + next() * 1_800);
    kill(spillway, victim, data);
    if (victim !== "nats-server") {
      await spillway.exited;
      spillway = await startSpillway({ data, jobs, port, nats });
    }
    await sleep(300 + next() * 500);
    const acknowledged = await producer.stop();
    const books = await settled(spillway);
    const { audit } = await getJson<{ readonly audit: Audit }>(`${spillway.url}/v1/books?audit=true`);
    return {
      acknowledged: acknowledged.length,
      ...compare(acknowledged, readFiles(join(root, "out"))),
      unexplained: Math.abs(books.totals.unexplained.records) + Math.abs(books.totals.unexplained.bytes),
      auditDifference: audit.jobs.reduce((sum, { difference }) => sum + Math.abs(difference.records), 0),
      pending: books.totals.books.pending.records,
    };
  } finally {
    if (spillway.child.pid !== undefined) killHard(spillway.child.pid);
    for (const pid of natsPidsOf(data)) killHard(pid);
    await removeTree(root);
  }
};

const writeJobs = (path: string, out: string) => {
  mkdirSync(out);
  const list = customers.map((customer) => ({
    id: customer,
    customer,
    dataset: "events",
    destination: { kind: "file", path: join(out, customer) },
    batch: { maxIntervalSeconds: 1, maxRecords: 1_000 },
  }));
  writeFileSync(path, JSON.stringify({ jobs: list }));
};

const kill = (spillway: SpillwayProcess, victim: Victim, data: string) => {
  const pids = natsPidsOf(data);
  if (victim !== "nats-server") killHard(spillway.child.pid!);
  if (victim !== "spillway") for (const pid of pids) killHard(pid);
};

interface Producer {
  /** Ids of the records that were acknowledged. */
  readonly stop: () => Promise<ReadonlyArray<string>>;
}

/**
 * Sends for as long as it is let. What was not answered is sent again under the same key, so that it is stored once.
 */
const startProducer = (url: string, next: () => number): Producer => {
  const acknowledged: Array<string> = [];
  const run = { stopped: false };
  const workers = [0, 1].map(async (worker) => {
    for (let body = 0; !run.stopped; body++) {
      const customer = customers[Math.floor(next() * customers.length)]!;
      const ids = Array.from({ length: 1 + Math.floor(next() * 300) }, (_, i) => `${worker}-${body}-${i}`);
      const text = ids.map((id) => `{"id":"${customer}/${id}","pad":"${"x".repeat(100)}"}\n`).join("");
      while (!(await post(url, customer, `w${worker}-${body}`, text))) {
        // Not acknowledged and not to be sent again: nobody was promised anything.
        if (run.stopped) return;
        await sleep(50);
      }
      acknowledged.push(...ids.map((id) => `${customer}/${id}`));
    }
  });
  return {
    stop: async () => {
      run.stopped = true;
      await Promise.all(workers);
      return acknowledged;
    },
  };
};

const post = async (url: string, customer: string, key: string, body: string): Promise<boolean> => {
  try {
    const response = await fetch(`${url}/v1/ingest/events`, {
      method: "POST",
      headers: { "spillway-customer": customer, "idempotency-key": key, "content-type": "application/x-ndjson" },
      body,
      signal: AbortSignal.timeout(20_000),
    });
    await response.text();
    return response.status === 200;
  } catch {
    return false;
  }
};

const getJson = async <A>(url: string): Promise<A> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as A;
};

/** Until nothing is pending. */
const settled = async ({ output, url }: SpillwayProcess): Promise<Books> => {
  const deadline = Date.now() + settleMillisMax;
  for (;;) {
    const books = await getJson<Books>(`${url}/v1/books`).catch(() => undefined);
    const done =
      books !== undefined && books.totals.books.pending.records === 0 && books.totals.books.accepted.records > 0;
    if (done && books.jobs.length === customers.length) return books;
    if (Date.now() > deadline) throw new Error(`not settled: ${JSON.stringify(books)}\n${output()}`);
    await sleep(50);
  }
};

const readFiles = (out: string): ReadonlyArray<string> =>
  readdirSync(out).flatMap((customer) =>
    readdirSync(join(out, customer))
      .filter((name) => name.endsWith(".log.gz"))
      .flatMap((name) =>
        gunzipSync(readFileSync(join(out, customer, name)))
          .toString()
          .trim()
          .split("\n"),
      )
      .map((line) => (JSON.parse(line) as { readonly id: string }).id),
  );

const compare = (acknowledged: ReadonlyArray<string>, found: ReadonlyArray<string>) => {
  const counts = new Map<string, number>();
  for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1);
  return {
    missing: acknowledged.filter((id) => !counts.has(id)),
    duplicated: [...counts].flatMap(([id, count]) => (count > 1 ? [id] : [])),
  };
};
