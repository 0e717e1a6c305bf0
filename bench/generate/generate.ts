import { Effect } from "effect";
import { parseArgs } from "node:util";
import { wholeNumber } from "../../demo/options.ts";
import { generate, type Generated } from "../../src/control/generate/generate.ts";
import { judge } from "../../src/control/gate/gate.ts";
import type { SnapshotEntry } from "../../src/snapshot/segment.ts";
import type { Snapshot } from "../../src/snapshot/snapshot.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { PushJob } from "../../src/domain/push-job.ts";

export const generateHelp = `npm run bench -- generate [options]

What a snapshot of the configuration costs: made whole from all push jobs, then again after one job has changed, judged
by the gate, and made again after all jobs have changed. Jobs come as the bytes that the store has of them; a third of
the customers has two.

  --jobs N        push jobs (default 1,000,000)
  --json          one JSON object on stdout; everything for people goes to stderr
  --help          this text

Exit code 1 when the whole takes 10 s or more, or the process 1 GB until then.
`;

const bars = { seconds: 10, rssMb: 1_000 };

export const runGenerate = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${generateHelp}`);
    return 2;
  }
  const report = await measure(options.jobs);
  process.stderr.write(
    `${options.jobs} push jobs:\n` +
      `  whole       ${report.seconds.toFixed(2)} s (< ${bars.seconds}), peak ${report.peakRssMb} MB (< ${bars.rssMb})\n` +
      `  one change  ${report.changeMillis.toFixed(1)} ms, ${report.changeSegments} segment, ${report.changeBytes} bytes\n` +
      `  the gate    ${report.gateMillis.toFixed(1)} ms for the change, ${report.gateWholeSeconds.toFixed(2)} s for the whole\n` +
      `  all changed ${report.allSeconds.toFixed(2)} s, peak ${report.allPeakRssMb} MB\n` +
      `  stored      ${report.storedMb} MB, manifest ${report.manifestBytes} bytes\n`,
  );
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  return report.seconds < bars.seconds && report.peakRssMb < bars.rssMb ? 0 : 1;
};

const parseOptions = (args: ReadonlyArray<string>) => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { jobs: { type: "string", default: "1000000" }, json: { type: "boolean", default: false } },
    });
    return { jobs: wholeNumber("jobs", values.jobs, 1, 10_000_000), json: values.json };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};

const customerOf = (i: number): string => `customer-${Math.floor((i * 3) / 4)}`;

const entryOf = (i: number, revision = i + 1): SnapshotEntry => {
  const customer = customerOf(i);
  const id = `job-${i}`;
  const job = PushJob.make({
    id: id as PushJob["id"],
    customer: customer as PushJob["customer"],
    dataset: "http_requests" as PushJob["dataset"],
    enabled: true,
    destination: {
      kind: "http",
      url: `https://logs.example.com/${customer}/${revision}`,
      headers: { "x-key": `k${i}` },
    },
    batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
  });
  return { id, state: "enabled", revision, customer, dataset: "http_requests", data: encodeJob(job) };
};

/** As a job table holds them: one run of bytes, of which each entry is a view that is made when it is asked for. */
const storeOf = (jobs: number, revisionAt = (i: number): number => i + 1): Iterable<SnapshotEntry> => {
  const sample = entryOf(jobs, revisionAt(jobs)).data.length;
  const bytes = Buffer.allocUnsafeSlow(jobs * (sample + 8));
  const ends = new Float64Array(jobs + 1);
  for (let i = 0; i < jobs; i++) {
    const { data } = entryOf(i, revisionAt(i));
    bytes.set(data, ends[i]);
    ends[i + 1] = ends[i]! + data.length;
  }
  return {
    *[Symbol.iterator]() {
      for (let i = 0; i < jobs; i++) {
        const data = bytes.subarray(ends[i], ends[i + 1]);
        const rest = { customer: customerOf(i), dataset: "http_requests", data };
        yield { id: `job-${i}`, state: "enabled", revision: revisionAt(i), ...rest };
      }
    },
  };
};

const common = {
  cell: "bench",
  mayForget: () => false,
  catalogue: Buffer.from("[]"),
  author: "bench",
  reason: "",
  nowMillis: 0,
};

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect);

const measure = async (jobs: number) => {
  const blobs = new Map<string, Uint8Array>();
  const keep = (generated: Generated): Snapshot => {
    for (const [hash, stored] of generated.blobs) blobs.set(hash, stored);
    return { manifest: generated.manifest, hash: generated.hash, blob: (hash) => blobs.get(hash) };
  };
  const store = storeOf(jobs);
  let began = performance.now();
  const whole = await run(generate({ ...common, previous: undefined, number: 1, position: jobs, changed: store }));
  const seconds = (performance.now() - began) / 1_000;
  const peakRssMb = Math.round(process.resourceUsage().maxRSS / 1_000);
  const first = keep(whole);
  began = performance.now();
  const changed = await run(
    generate({ ...common, previous: first, number: 2, position: jobs + 1, changed: [entryOf(0, jobs + 1)] }),
  );
  const changeMillis = performance.now() - began;
  const second = keep(changed);
  const facts = {
    cell: "bench",
    limits: {
      jobsMax: jobs * 2,
      smallChangeJobsMax: 10,
      removedPercentMax: 5,
      removedDatasetPercentMax: 20,
      addedPercentMax: 50,
      redirectedPercentMax: 10,
      segmentBytesMax: 67_108_864,
    },
    rollbackOf: undefined,
    inStore: () => Effect.undefined,
    pending: { isPending: () => true, pendingUpTo: () => 0 },
    trafficOf: () => undefined,
    problemOf: () => undefined,
    accepted: undefined,
  };
  began = performance.now();
  const verdict = await run(judge(second, { ...facts, previous: first }));
  const gateMillis = performance.now() - began;
  if (!verdict.passed || !verdict.small) throw new Error(`the gate: ${JSON.stringify(verdict)}`);
  began = performance.now();
  await run(judge(first, { ...facts, previous: undefined }));
  const gateWholeSeconds = (performance.now() - began) / 1_000;
  const all = storeOf(jobs, (i) => jobs + 2 + i);
  began = performance.now();
  const last = { number: 3, position: 2 * jobs + 2, changed: all, changedCount: jobs };
  await run(generate({ ...common, previous: first, ...last }));
  const allSeconds = (performance.now() - began) / 1_000;
  return {
    jobs,
    seconds,
    peakRssMb,
    allSeconds,
    allPeakRssMb: Math.round(process.resourceUsage().maxRSS / 1_000),
    changeMillis,
    changeSegments: changed.blobs.size,
    changeBytes: [...changed.blobs.values()].reduce((sum, { length }) => sum + length, 0),
    gateMillis,
    gateWholeSeconds,
    storedMb: Math.round([...whole.blobs.values()].reduce((sum, { length }) => sum + length, 0) / 1e6),
    manifestBytes: whole.encoded.length,
  };
};
