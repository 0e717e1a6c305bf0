import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { readFileSync } from "node:fs";
import type { JobSet } from "../src/actors/ports/jobs.ts";
import { makePair } from "../src/domain/partition.ts";
import type { IngestRequest } from "../src/forwarder/ingest-request.ts";
import { PairIndexes } from "../src/forwarder/pair-index.ts";
import { sortBody, type SortLimits } from "../src/forwarder/sort.ts";
import { customerName } from "../demo/generator/customer-name.ts";

/*
 * What the door does with the records of a body that is in memory: scanning and grouping, without HTTP and without the
 * outbox. `node bench/scan.ts [--json]`; exit code 1 when a workload costs more than the bar.
 */

const dataset = "http_requests";
const recordBytes = 488;
const recordsPerBody = 1_000;
const bodiesPerRun = 1_000;
const runs = 5;
const cpuSecondsPerMillionMax = 1;

const { limits } = JSON.parse(readFileSync(new URL("../config/default.json", import.meta.url), "utf8")) as {
  readonly limits: SortLimits;
};

/** A record of `http_requests` as the demo's generator makes them, filled up to its size; the newline counts. */
const record = (number: number, customer: string): string => {
  const head =
    `{"RayID":"${number.toString(16).padStart(16, "0")}","EdgeStartTimestamp":1795400000${String(number).padStart(9, "0")},` +
    `"Customer":"${customer}","ClientRequestMethod":"GET","EdgeResponseStatus":200,"ClientRequestURI":"/`;
  return `${head}${"x".repeat(recordBytes - head.length - 3)}"}\n`;
};

/** @param customers 1: all of one; more: taken in a stride that never puts one customer's records side by side */
const makeBody = (body: number, customers: number): Buffer =>
  Buffer.from(
    Array.from({ length: recordsPerBody }, (_, i) => {
      const number = body * recordsPerBody + i;
      return record(number, customerName((number * 7_919) % customers));
    }).join(""),
  );

const jobSetOf = (customers: number): JobSet => ({
  number: 1,
  byId: new Map(),
  byPair: new Map(),
  pairs: new Map(
    Array.from({ length: customers }, (_, customer) => makePair(customerName(customer), dataset, 8)).map((pair) => [
      pair.key,
      pair,
    ]),
  ),
});

interface Workload {
  readonly name: string;
  readonly customers: number;
  readonly customerField: string | undefined;
  /** What part of the records must come through, so that nobody measures a door that lets nothing in. */
  readonly accepted: number;
}

const workloads: ReadonlyArray<Workload> = [
  { name: "one customer a body", customers: 1, customerField: undefined, accepted: 1 },
  { name: "mixed over 10,000", customers: 10_000, customerField: "Customer", accepted: 1 },
  { name: "mixed, no record has the field", customers: 10_000, customerField: "Tenant", accepted: 0 },
];

const run = ({ accepted, customerField, customers }: Workload, bodies: ReadonlyArray<Buffer>, jobs: JobSet) => {
  const asked: IngestRequest = {
    dataset,
    encoding: "identity",
    announcedBytes: undefined,
    idempotencyKey: undefined,
    customer: customerField === undefined ? customerName(0) : undefined,
    customerField,
  };
  const indexes = new PairIndexes();
  let came = 0;
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  for (let i = 0; i < bodiesPerRun; i++) {
    // A body of this size is gone through in one step.
    sortBody(
      asked,
      bodies[i % bodies.length]!,
      indexes.of(jobs, dataset),
      limits,
      false,
      (step) => step(),
      (sorted) => {
        came += sorted.accepted;
      },
    );
  }
  const seconds = (performance.now() - started) / 1_000;
  const { system, user } = process.cpuUsage(cpuBefore);
  const records = bodiesPerRun * recordsPerBody;
  if (came !== records * accepted)
    throw new Error(`${came} of ${records} records came through (${customers} customers)`);
  return { recordsPerSecond: records / seconds, cpuSecondsPerMillion: (user + system) / records };
};

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const measure = (workload: Workload) => {
  const jobs = jobSetOf(workload.customers);
  const bodies = Array.from({ length: 20 }, (_, body) => makeBody(body, workload.customers));
  // The first run is for the compiler.
  run(workload, bodies, jobs);
  const all = Array.from({ length: runs }, () => run(workload, bodies, jobs));
  return {
    workload: workload.name,
    recordsPerSecond: Math.round(median(all.map(({ recordsPerSecond }) => recordsPerSecond))),
    cpuSecondsPerMillion: Number(median(all.map(({ cpuSecondsPerMillion }) => cpuSecondsPerMillion)).toFixed(3)),
  };
};

const results = workloads.map(measure);
if (process.argv.includes("--json")) {
  for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  process.stdout.write(
    `${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}, medians of ${runs}\n`,
  );
  for (const { cpuSecondsPerMillion, recordsPerSecond, workload } of results) {
    const speed = recordsPerSecond.toLocaleString("en-US").padStart(12);
    process.stdout.write(
      `${workload.padEnd(32)} ${speed} records/s   ${cpuSecondsPerMillion.toFixed(3)} CPU-s per million\n`,
    );
  }
}
if (results.some(({ cpuSecondsPerMillion }) => cpuSecondsPerMillion > cpuSecondsPerMillionMax)) process.exitCode = 1;
