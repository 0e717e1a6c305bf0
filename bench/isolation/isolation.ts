import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBooks, readTotals, unexplainedRecords } from "../../demo/books.ts";
import { type HelperProcess, startHelper } from "../../demo/helper-process.ts";
import { rssBytes } from "../../demo/process-usage.ts";
import { number } from "../../demo/progress.ts";
import { SpillwayProcess } from "../../demo/spillway-process.ts";
import type { SpellCounts } from "./generator.ts";
import { isolationHelp, type IsolationOptions, parseIsolationOptions } from "./options.ts";
import type { LagReport } from "./sink.ts";
import { customers, type Fault, isolationJobs } from "./workload.ts";

export { isolationHelp };

/** Runs the benchmark; answers the exit code. */
export const runIsolation = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseIsolationOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${isolationHelp}`);
    return 2;
  }
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`${line}\n`);
  const directory = await mkdtemp(join(tmpdir(), "spillway-bench-"));
  try {
    const result = await measure(options, directory, say);
    const bars: ReadonlyArray<readonly [string, boolean]> = [
      [
        `p99 lag of the others ${result.p99LagRatio.toFixed(2)} times that of healthy phases (< 1.2)`,
        result.p99LagRatio < 1.2,
      ],
      [`their throughput ${result.throughputRatio.toFixed(3)} times (> 0.95)`, result.throughputRatio > 0.95],
      [`lost ${result.lost} (0)`, result.lost === 0],
      [`unexplained ${result.unexplained} (0)`, result.unexplained === 0],
      [`memory grew by ${result.rssGrowthPercent.toFixed(1)} % (< 15 %)`, result.rssGrowthPercent < 15],
    ];
    say("");
    for (const [text, passed] of bars) say(`  ${passed ? "pass" : "FAIL"}  ${text}`);
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    return bars.every(([, passed]) => passed) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`\nThe benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
};

/** The worst over the matrix. */
interface Result {
  p99LagRatio: number;
  throughputRatio: number;
  lost: number;
  unexplained: number;
  rssGrowthPercent: number;
  /** Between healthy phases alone: what the machine's own noise comes to. */
  healthyP99LagRatio: number;
  recordsPerSecond: number;
  capacityRecordsPerSecond: number;
}

const settledMillisMax = 120_000;

const measure = async (options: IsolationOptions, directory: string, say: (line: string) => void): Promise<Result> => {
  await using sink = await startHelper<{ ports: ReadonlyArray<number> }>(new URL("sink.ts", import.meta.url), [
    String(customers),
  ]);
  await using generator = await startHelper<object>(new URL("generator.ts", import.meta.url), [String(customers)]);
  const jobsFile = join(directory, "jobs.json");
  await writeFile(jobsFile, JSON.stringify(isolationJobs(sink.ready.ports)));
  await using spillway = await SpillwayProcess.start({ directory, jobsFile });
  const bench = new Bench(options, spillway, sink, generator);

  const capacity = await bench.capacity();
  const rate = options.rate === 0 ? Math.ceil(capacity / 2) : options.rate;
  say(`${number(capacity)} records/s is what this machine takes; ${number(rate)} are sent`);
  await bench.phase(rate, []);
  const result: Result = {
    p99LagRatio: 0,
    throughputRatio: Infinity,
    lost: 0,
    unexplained: 0,
    rssGrowthPercent: 0,
    healthyP99LagRatio: 1,
    recordsPerSecond: rate,
    capacityRecordsPerSecond: Math.round(capacity),
  };
  for (const percent of options.percents) {
    for (const fault of options.faults) {
      const row = await bench.row(rate, percent, fault);
      say(
        `  ${String(percent).padStart(2)} % ${fault.padEnd(6)} p99 lag ${row.healthyP99.toFixed(0)} → ` +
          `${row.faultyP99.toFixed(0)} ms (${row.p99LagRatio.toFixed(2)}; healthy to healthy ` +
          `${row.healthyP99LagRatio.toFixed(2)}), throughput ${row.throughputRatio.toFixed(3)}, ` +
          `memory ${row.rssGrowthPercent.toFixed(1)} %`,
      );
      result.p99LagRatio = Math.max(result.p99LagRatio, row.p99LagRatio);
      result.throughputRatio = Math.min(result.throughputRatio, row.throughputRatio);
      result.rssGrowthPercent = Math.max(result.rssGrowthPercent, row.rssGrowthPercent);
      result.healthyP99LagRatio = Math.max(result.healthyP99LagRatio, row.healthyP99LagRatio);
    }
  }
  await bench.settled(settledMillisMax);
  const books = await readBooks(spillway.url);
  if (books === undefined) throw new Error("Spillway does not answer with its books");
  result.unexplained = unexplainedRecords(books);
  result.lost = bench.accepted - (await bench.delivered());
  return result;
};

interface Phase extends LagReport {
  readonly recordsPerSecond: number;
  readonly peakRssBytes: number;
}

class Bench {
  accepted = 0;
  readonly #options: IsolationOptions;
  readonly #spillway: SpillwayProcess;
  readonly #sink: HelperProcess<unknown>;
  readonly #generator: HelperProcess<unknown>;
  #listener: (message: Record<string, unknown>) => void = () => {};

  constructor(
    options: IsolationOptions,
    spillway: SpillwayProcess,
    sink: HelperProcess<unknown>,
    generator: HelperProcess<unknown>,
  ) {
    this.#options = options;
    this.#spillway = spillway;
    this.#sink = sink;
    this.#generator = generator;
    for (const helper of [sink, generator]) {
      helper.onMessage((message) => this.#listener(message as Record<string, unknown>));
    }
  }

  /** Records a second that are taken at full speed. */
  async capacity(): Promise<number> {
    await this.#send(0, 2_000);
    const { accepted, seconds } = await this.#send(0, 5_000);
    await this.settled(settledMillisMax);
    return accepted / seconds;
  }

  /** Sends for a while with some destinations ill, and says what the others have noticed. */
  async phase(rate: number, ill: ReadonlyArray<number>, fault: Fault = "hang"): Promise<Phase> {
    await this.#ask(this.#sink, { ill, fault }, "done");
    const fromMillis = Date.now();
    let peakRssBytes = 0;
    const watching = setInterval(() => (peakRssBytes = Math.max(peakRssBytes, rssBytes(this.#spillway.pid))), 200);
    await this.#send(rate, this.#options.phaseSeconds * 1_000);
    const toMillis = Date.now();
    // What was sent last has its interval to wait for, and a little more.
    await new Promise((resume) => setTimeout(resume, 3_000));
    clearInterval(watching);
    const report = { fromMillis, toMillis, except: ill.length === 0 ? this.#watchedNot : ill };
    const lag = await this.#ask<LagReport>(this.#sink, { report }, "lag");
    await this.#ask(this.#sink, { ill: [], fault }, "done");
    await this.settled(settledMillisMax);
    return { ...lag, recordsPerSecond: (lag.records * 1_000) / (toMillis - fromMillis), peakRssBytes };
  }

  /** Left out of the healthy phases too: the same customers are compared. */
  #watchedNot: ReadonlyArray<number> = [];

  async row(rate: number, percent: number, fault: Fault) {
    const ill = Array.from({ length: Math.max(1, Math.round((customers * percent) / 100)) }, (_, i) =>
      Math.floor((i * 100) / percent),
    );
    this.#watchedNot = ill;
    const healthy: Array<Phase> = [];
    const faulty: Array<Phase> = [];
    for (let pair = 0; pair < this.#options.pairs; pair++) {
      // In turns, and each time the other first, so that what the machine does meanwhile meets both alike.
      const order = pair % 2 === 0 ? ["healthy", "faulty"] : ["faulty", "healthy"];
      for (const kind of order) {
        if (kind === "healthy") healthy.push(await this.phase(rate, []));
        else faulty.push(await this.phase(rate, ill, fault));
      }
    }
    const healthyP99 = median(healthy.map(({ p99Millis }) => p99Millis));
    const faultyP99 = median(faulty.map(({ p99Millis }) => p99Millis));
    const lags = healthy.map(({ p99Millis }) => p99Millis);
    return {
      healthyP99,
      faultyP99,
      p99LagRatio: faultyP99 / healthyP99,
      healthyP99LagRatio: Math.max(...lags) / Math.min(...lags),
      throughputRatio:
        median(faulty.map(({ recordsPerSecond }) => recordsPerSecond)) /
        median(healthy.map(({ recordsPerSecond }) => recordsPerSecond)),
      rssGrowthPercent:
        (median(faulty.map(({ peakRssBytes }) => peakRssBytes)) /
          median(healthy.map(({ peakRssBytes }) => peakRssBytes)) -
          1) *
        100,
    };
  }

  /** Waits until nothing is pending. */
  async settled(millisMax: number): Promise<void> {
    const deadline = Date.now() + millisMax;
    for (;;) {
      const totals = await readTotals(this.#spillway.url);
      const { accepted, pending } = totals?.books ?? {};
      if (accepted?.records === this.accepted && pending?.records === 0) return;
      if (Date.now() > deadline) {
        const books = await readBooks(this.#spillway.url);
        const late = books?.jobs.filter((job) => job.books.pending.records > 0).slice(0, 5);
        throw new Error(`${pending?.records} records are still pending: ${JSON.stringify(late)}`);
      }
      await new Promise((resume) => setTimeout(resume, 250));
    }
  }

  async delivered(): Promise<number> {
    return (await this.#ask<{ readonly records: number }>(this.#sink, { total: true }, "totals")).records;
  }

  async #send(rate: number, millis: number): Promise<SpellCounts> {
    const sent = await this.#ask<SpellCounts>(this.#generator, { url: this.#spillway.url, rate, millis }, "sent");
    this.accepted += sent.accepted;
    return sent;
  }

  #ask<A>(helper: HelperProcess<unknown>, order: object, key: string): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#spillway.onUnexpectedExit = (how) => reject(new Error(`Spillway has ended: ${how}`));
      this.#listener = (message) => {
        if (key in message) resolve(message[key] as A);
        else if (typeof message["failed"] === "string") reject(new Error(message["failed"]));
      };
      helper.send(order);
    });
  }
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
};
