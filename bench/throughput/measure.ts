import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBooks, readTotals, unexplainedRecords } from "../../demo/books.ts";
import { type HelperProcess, startHelper } from "../../demo/helper-process.ts";
import { peakRssBytes, usageOf } from "../../demo/process-usage.ts";
import { SpillwayProcess } from "../../demo/spillway-process.ts";
import type { GeneratorCounts } from "./generator.ts";
import type { SinkCounts } from "./sink.ts";
import { throughputJobs } from "./workload.ts";

/** What one run, or the median of several, has come to. */
export interface Measurement {
  readonly records: number;
  readonly customers: number;
  /** From the first byte sent to the last record delivered, the last upload interval included. */
  readonly recordsPerSecond: number;
  /** Of Spillway and nats-server together. */
  readonly cpuSecondsPerMillion: number;
  readonly natsCpuSecondsPerMillion: number;
  /** Of Spillway and nats-server together, each at its own peak. */
  readonly peakRssMb: number;
}

/** A run's figures beside those that are told with --json. */
export interface Run extends Measurement {
  /** Until the last body was acknowledged. */
  readonly acceptedPerSecond: number;
  readonly batches: number;
  readonly compression: number;
  readonly repeatedRequests: number;
}

export interface RunOptions {
  readonly records: number;
  readonly customers: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

const deliveredMillisMax = 600_000;

/** One run on a fresh data directory. */
export const measureRun = async ({ customers, records, seed, signal }: RunOptions): Promise<Run> => {
  signal.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), "spillway-bench-"));
  try {
    await using sink = await startHelper<{ url: string }>(new URL("sink.ts", import.meta.url), [String(records)]);
    await using generator = await startHelper<{ bodies: number }>(
      new URL("generator.ts", import.meta.url),
      [records, customers, seed].map(String),
    );
    const jobsFile = join(directory, "jobs.json");
    await writeFile(jobsFile, JSON.stringify(throughputJobs(customers, sink.ready.url)));
    await using spillway = await SpillwayProcess.start({ directory, jobsFile });
    const broken = failure(spillway, signal);
    const all = message<SinkCounts>(sink, "all");
    const sent = message<GeneratorCounts>(generator, "sent");
    // Connections, timers and the first checkpoints of the start are not what is measured.
    const before = requireUsage(spillway.pid);
    const began = performance.now();
    generator.send({ url: spillway.url });
    const taken = await Promise.race([all, broken]);
    const seconds = (performance.now() - began) / 1_000;
    const after = requireUsage(spillway.pid);
    const offered = await Promise.race([sent, broken]);
    await verify(spillway.url, { records, offered, taken });
    const perMillion = 1_000_000 / records;
    const nats = (after.nats.cpuSeconds - before.nats.cpuSeconds) * perMillion;
    const own = (after.spillway.cpuSeconds - before.spillway.cpuSeconds) * perMillion;
    return {
      records,
      customers,
      recordsPerSecond: records / seconds,
      cpuSecondsPerMillion: own + nats,
      natsCpuSecondsPerMillion: nats,
      peakRssMb: (peakRssBytes(spillway.pid) + peakRssBytes(after.nats.pid)) / 1_000_000,
      acceptedPerSecond: records / offered.seconds,
      batches: taken.batches,
      compression: offered.rawBytes / taken.gzipBytes,
      repeatedRequests: offered.repeated,
    };
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
};

/** The one message with this key; an error when the process says that it has failed. */
const message = <A>(helper: HelperProcess<unknown>, key: string): Promise<A> =>
  new Promise((resolve, reject) => {
    helper.onMessage((received) => {
      const said = received as Record<string, unknown>;
      if (key in said) resolve(said[key] as A);
      else if (typeof said["failed"] === "string") reject(new Error(said["failed"]));
    });
  });

const failure = (spillway: SpillwayProcess, signal: AbortSignal): Promise<never> => {
  const broken = new Promise<never>((_, reject) => {
    spillway.onUnexpectedExit = (how) => reject(new Error(`Spillway has ended: ${how}`));
    signal.addEventListener("abort", () => reject(signal.reason as Error));
    setTimeout(() => void tooLate(spillway).then(reject), deliveredMillisMax).unref();
  });
  broken.catch(() => {});
  return broken;
};

const tooLate = async ({ url }: SpillwayProcess): Promise<Error> => {
  const totals = await readTotals(url);
  const { accepted, delivered } = totals?.books ?? {};
  return new Error(
    `Not everything was delivered in ${deliveredMillisMax / 60_000} minutes: the books say ` +
      `${accepted?.records ?? "nothing about"} accepted, ${delivered?.records ?? "nothing about"} delivered`,
  );
};

const requireUsage = (pid: number) => {
  const { nats, spillway } = usageOf(pid);
  if (nats === undefined || spillway === undefined)
    throw new Error("Spillway and its nats-server are not both running");
  return { nats, spillway };
};

/** A figure counts only when the books, the door and the sink say the same. */
const verify = async (
  url: string,
  {
    offered,
    records,
    taken,
  }: { readonly records: number; readonly offered: GeneratorCounts; readonly taken: SinkCounts },
): Promise<void> => {
  const books = await readBooks(url);
  if (books === undefined) throw new Error("Spillway does not answer with its books");
  const { accepted, pending } = books.totals.books;
  const wrong =
    offered.accepted !== records ||
    taken.records !== records ||
    accepted.records !== records ||
    pending.records !== 0 ||
    unexplainedRecords(books) !== 0;
  if (!wrong) return;
  throw new Error(
    `The numbers differ: ${records} sent, ${offered.accepted} acknowledged, ${accepted.records} accepted and ` +
      `${pending.records} pending in the books, ${unexplainedRecords(books)} unexplained, ${taken.records} delivered`,
  );
};
