import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { peakRssBytes, usageOf } from "../../demo/process-usage.ts";
import { SpillwayProcess } from "../../demo/spillway-process.ts";
import { buildData } from "./built-data.ts";
import { percentile } from "./percentile.ts";
import { Sink } from "./sink.ts";
import { batchRecordsMax, customerOf, dataset, jobOf, lineOf } from "./workload.ts";

/** What is told with --json. */
export interface Measurement {
  readonly jobs: number;
  /** The most that each ever had, from its start on. */
  readonly spillwayRssMb: number;
  readonly natsRssMb: number;
  /** From the start of the command until a record that was sent as soon as the node took it is at its destination. */
  readonly startSeconds: number;
  /**
   * From the acknowledgement of a hibernated customer's batch of records to its arrival at the destination: reading it,
   * waking the buffer, compressing and pushing are all in it.
   */
  readonly wakeP99Ms: number;
}

/** Beside that, for people. */
export interface Details {
  readonly buildSeconds: number;
  readonly dataMb: number;
  readonly readySeconds: number;
  readonly steadyRssMb: number;
  readonly wakeP50Ms: number;
  readonly woken: number;
  readonly deliveredOfWoken: number;
}

export interface MeasureOptions {
  readonly jobs: number;
  /** Customers that are active now. */
  readonly active: number;
  /** Of these, woken one by one and timed. */
  readonly timed: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const lanes = 2;
const bodyRecords = 1_000;
const deliveredMillisMax = 120_000;
const firstTries = 200;

export const measure = async (options: MeasureOptions): Promise<Measurement & Details> => {
  const { jobs, say, signal } = options;
  const directory = await mkdtemp(join(tmpdir(), "spillway-density-"));
  try {
    await using sink = await Sink.start();
    const buildSeconds = await buildData(join(directory, "data"), jobs, sink.url, signal);
    const dataMb = Number(execFileSync("du", ["-sm", directory], { encoding: "utf8" }).split("\t")[0]);
    say(`  built in ${buildSeconds.toFixed(0)} s, ${dataMb} MB on the disk`);
    const jobsFile = join(directory, "jobs.json");
    await writeFile(jobsFile, JSON.stringify({ jobs: [jobOf(0, sink.url)] }));
    const began = performance.now();
    await using spillway = await SpillwayProcess.start({ directory, jobsFile });
    const readySeconds = (performance.now() - began) / 1_000;
    const startSeconds = ((await firstRecord(spillway.url, sink)) - began) / 1_000;
    say(`  ready after ${readySeconds.toFixed(1)} s, first record delivered after ${startSeconds.toFixed(1)} s`);
    const wakes = await wakeOneByOne(spillway.url, sink, options);
    const deliveredOfWoken = await wakeTheRest(spillway.url, sink, options);
    const { nats } = usageOf(spillway.pid);
    if (nats === undefined) throw new Error("nats-server does not run");
    const steadyRssMb = await rssMb(spillway.pid);
    signal.throwIfAborted();
    return {
      jobs,
      spillwayRssMb: Math.round(peakRssBytes(spillway.pid) / 1_000_000),
      natsRssMb: Math.round(peakRssBytes(nats.pid) / 1_000_000),
      startSeconds: round(startSeconds),
      wakeP99Ms: round(percentile(wakes, 0.99)),
      wakeP50Ms: round(percentile(wakes, 0.5)),
      buildSeconds: round(buildSeconds),
      dataMb,
      readySeconds: round(readySeconds),
      steadyRssMb,
      woken: options.active,
      deliveredOfWoken,
    };
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
};

/** Sends until the node takes it: what counts is when the record arrives. */
const firstRecord = async (url: string, sink: Sink): Promise<number> => {
  const arrived = sink.next(customerOf(0));
  for (let tries = 1; ; tries++) {
    const { ok } = await post(url, lineOf(0, 1)).catch(() => ({ ok: false }));
    if (ok) return Promise.race([arrived, tooLate("the first record")]);
    if (tries >= firstTries) throw new Error("The node takes no record");
    await sleep(50);
  }
};

/** Spread over all jobs: neighbours in the order in which they were written are neighbours in memory. */
const activeOf = (i: number, { active, jobs }: MeasureOptions): number => 1 + Math.floor((i * (jobs - 1)) / active);

/** A full batch each: it ends with its last record, and not a second later. */
const wakeOneByOne = async (url: string, sink: Sink, options: MeasureOptions): Promise<ReadonlyArray<number>> => {
  const wakes: Array<number> = [];
  let next = 0;
  const lane = async () => {
    while (next < options.timed) {
      const customer = activeOf(next++, options);
      const body = Array.from({ length: batchRecordsMax }, (_, i) => lineOf(customer, i)).join("");
      const arrived = sink.next(customerOf(customer));
      const { acknowledged } = await post(url, body);
      wakes.push(Math.max(0, (await Promise.race([arrived, tooLate("a batch")])) - acknowledged));
      // Apart from each other: it is waking that is measured, and not what this machine can do at most.
      await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return wakes;
};

/** The rest of the active customers, a record each. Answers how many of those arrived. */
const wakeTheRest = async (url: string, sink: Sink, options: MeasureOptions): Promise<number> => {
  const before = sink.records;
  const rest = Array.from({ length: options.active - options.timed }, (_, i) => activeOf(options.timed + i, options));
  for (let at = 0; at < rest.length; at += bodyRecords) {
    const lines = rest.slice(at, at + bodyRecords).map((customer) => lineOf(customer, 1));
    await post(url, lines.join(""));
  }
  const deadline = performance.now() + deliveredMillisMax;
  while (sink.records - before < rest.length && performance.now() < deadline) await sleep(50);
  if (sink.records - before !== rest.length) {
    throw new Error(`Of ${rest.length} records of woken customers, ${sink.records - before} arrived`);
  }
  return rest.length;
};

const post = async (url: string, body: string): Promise<{ ok: boolean; acknowledged: number }> => {
  for (;;) {
    const response = await fetch(`${url}/v1/ingest/${dataset}`, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson" },
      body,
    });
    const acknowledged = performance.now();
    const text = await response.text();
    if (response.status === 429 || response.status === 503) {
      await sleep(Number(response.headers.get("retry-after") ?? 1) * 1_000);
      continue;
    }
    const records = body.split("\n").length - 1;
    const { accepted } = JSON.parse(text) as { accepted?: number };
    if (!response.ok || accepted !== records) throw new Error(`Not everything was taken: ${response.status} ${text}`);
    return { ok: true, acknowledged };
  }
};

const tooLate = async (what: string): Promise<never> => {
  await sleep(deliveredMillisMax, undefined, { ref: false });
  throw new Error(`${what} did not arrive in ${deliveredMillisMax / 1_000} s`);
};

const rssMb = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Math.round((Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024) / 1_000_000);
};

const round = (value: number): number => Number(value.toFixed(1));
