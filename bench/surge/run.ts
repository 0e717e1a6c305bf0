import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBooks, readTotals, unexplainedRecords } from "../../demo/books.ts";
import { type HelperProcess, startHelper } from "../../demo/helper-process.ts";
import { rssBytes } from "../../demo/process-usage.ts";
import { SpillwayProcess } from "../../demo/spillway-process.ts";
import type { LagReport } from "../isolation/sink.ts";
import { admissionState, ControlReads, usageOfLimit } from "./control-reads.ts";
import type { SpellCounts } from "./generator.ts";
import { configureNewcomers } from "./new-jobs.ts";
import type { SurgeOptions } from "./options.ts";
import { configured, configuredJobs, hosts, newcomersHost, strangers } from "./workload.ts";

/** The figures of one run; of (a) and (b) the worse. */
export interface SurgeRun {
  readonly configuredLost: number;
  readonly configuredRefused: number;
  readonly unexplained: number;
  readonly p99LagRatio: number;
  /** −1: the node does not tell how many buffers are resident. */
  readonly buffersMax: number;
  readonly buffersLimit: number;
  readonly controlP99Ms: number;
  readonly recoverSeconds: number;
  readonly calmP99Ms: number;
  readonly unconfiguredP99Ms: number;
  readonly newlyConfiguredP99Ms: number;
  readonly offeredPerSecond: number;
  readonly surgeOfferedPerSecond: number;
  readonly newJobs: number;
  readonly admissionMax: number;
  readonly peakRssMb: number;
}

const recoverMillisMax = 300_000;
const warmUpSeconds = 8;
const bodyRecords = 250;
const surgeBodyRecords = 1_000;

/** One run on a node of its own. */
export const surgeRun = async (options: SurgeOptions, say: (line: string) => void): Promise<SurgeRun> => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-bench-"));
  try {
    await using sink = await startHelper<{ ports: ReadonlyArray<number> }>(
      new URL("../isolation/sink.ts", import.meta.url),
      [String(hosts)],
    );
    const generator = new URL("generator.ts", import.meta.url);
    await using base = await startHelper<object>(generator, [0, configured, bodyRecords, 1].map(String));
    await using flood = await startHelper<object>(generator, [configured, strangers, surgeBodyRecords, 0].map(String));
    const jobsFile = join(directory, "jobs.json");
    await writeFile(jobsFile, JSON.stringify(configuredJobs(sink.ready.ports)));
    await using spillway = await SpillwayProcess.start({ directory, jobsFile });
    return await new Surge(options, { spillway, sink, base, flood }, say).run(sink.ready.ports[newcomersHost]!);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
};

interface Processes {
  readonly spillway: SpillwayProcess;
  readonly sink: HelperProcess<unknown>;
  readonly base: HelperProcess<unknown>;
  readonly flood: HelperProcess<unknown>;
}

interface Phase extends LagReport {
  readonly sent: SpellCounts;
  readonly flooded: SpellCounts | undefined;
  readonly controlP99Ms: number;
}

class Surge {
  readonly #options: SurgeOptions;
  readonly #processes: Processes;
  readonly #say: (line: string) => void;
  #accepted = 0;
  #refused = 0;
  #buffers = { most: -1, limit: 0 };
  #admissionMax = 0;
  #peakRss = 0;

  constructor(options: SurgeOptions, processes: Processes, say: (line: string) => void) {
    this.#options = options;
    this.#processes = processes;
    this.#say = say;
  }

  async run(newcomersPort: number): Promise<SurgeRun> {
    const { url } = this.#processes.spillway;
    // The first seconds of a process are those of its compiler.
    await this.#phase("warm-up", false, Math.min(warmUpSeconds, this.#options.phaseSeconds));
    const calm = await this.#phase("calm", false);
    const unknown = await this.#phase("(a) unconfigured", true);
    const newJobs = await configureNewcomers(url, newcomersPort, this.#options.newJobs);
    this.#say(`    ${newJobs} newly configured`);
    const known = await this.#phase("(b) newly configured", true);
    const recoverSeconds = await this.#recover();
    const books = await readBooks(url);
    if (books === undefined) throw new Error("Spillway does not answer with its books");
    const delivered = await this.#lag(0, Date.now() + 1_000);
    return {
      configuredLost: this.#accepted - delivered.records,
      configuredRefused: this.#refused,
      unexplained: unexplainedRecords(books),
      p99LagRatio: Math.max(unknown.p99Millis, known.p99Millis) / calm.p99Millis,
      buffersMax: this.#buffers.most,
      buffersLimit: this.#buffers.limit,
      controlP99Ms: Math.max(unknown.controlP99Ms, known.controlP99Ms),
      recoverSeconds,
      calmP99Ms: calm.p99Millis,
      unconfiguredP99Ms: unknown.p99Millis,
      newlyConfiguredP99Ms: known.p99Millis,
      offeredPerSecond: Math.min(...[calm, unknown, known].map(({ sent }) => perSecond(sent))),
      surgeOfferedPerSecond: Math.min(perSecond(unknown.flooded!), perSecond(known.flooded!)),
      newJobs,
      admissionMax: this.#admissionMax,
      peakRssMb: this.#peakRss / 1_000_000,
    };
  }

  async #phase(name: string, isFlooded: boolean, phaseSeconds = this.#options.phaseSeconds): Promise<Phase> {
    const { base, flood, spillway } = this.#processes;
    const { controlUrl, rate, surgeRate } = this.#options;
    const fromMillis = Date.now();
    const order = { url: spillway.url, millis: phaseSeconds * 1_000 };
    using reads = new ControlReads(controlUrl ?? spillway.controlUrl);
    const watching = setInterval(() => void this.#watch(), 500);
    const [sent, flooded] = await Promise.all([
      ask<SpellCounts>(base, { ...order, rate }, "sent"),
      isFlooded ? ask<SpellCounts>(flood, { ...order, rate: surgeRate }, "sent") : undefined,
    ]);
    const toMillis = Date.now();
    const controlP99Ms = reads.p99Millis();
    // What was sent last has its interval to wait for, and a little more.
    await new Promise((resume) => setTimeout(resume, 8_000));
    clearInterval(watching);
    this.#accepted += sent.accepted;
    this.#refused += sent.refused + sent.repeated * bodyRecords;
    if (sent.failed > 0) throw new Error(`${sent.failed} bodies of configured customers had no answer`);
    const lag = await this.#lag(fromMillis, toMillis);
    this.#say(
      `    ${name}: ${perSecond(sent)}/s offered${flooded === undefined ? "" : describe(flooded)}, ` +
        `p99 lag ${lag.p99Millis} ms, ${reads.count} control reads p99 ${controlP99Ms.toFixed(0)} ms`,
    );
    return { ...lag, sent, flooded, controlP99Ms };
  }

  /** Of the configured customers alone. */
  #lag(fromMillis: number, toMillis: number): Promise<LagReport> {
    return ask(this.#processes.sink, { report: { fromMillis, toMillis, except: [newcomersHost] } }, "lag");
  }

  async #watch(): Promise<void> {
    const { spillway } = this.#processes;
    this.#peakRss = Math.max(this.#peakRss, rssBytes(spillway.pid));
    const [limit, state] = await Promise.all([
      usageOfLimit(spillway.url, "residentBuffersMax"),
      admissionState(spillway.url),
    ]).catch(() => []);
    this.#admissionMax = Math.max(this.#admissionMax, state ?? 0);
    if (limit !== undefined) {
      this.#buffers = { most: Math.max(this.#buffers.most, limit.usage ?? 0), limit: limit.value };
    }
  }

  /** Seconds until nothing is pending and admission is open. */
  async #recover(): Promise<number> {
    const { url } = this.#processes.spillway;
    const began = Date.now();
    for (;;) {
      const totals = await readTotals(url);
      const state = await admissionState(url).catch(() => undefined);
      if (totals?.books.pending.records === 0 && state === 0) return (Date.now() - began) / 1_000;
      if (Date.now() - began > recoverMillisMax) {
        const pending = totals?.books.pending.records;
        throw new Error(`not recovered: ${pending} records pending, admission ${state}`);
      }
      await new Promise((resume) => setTimeout(resume, 500));
    }
  }
}

const describe = (flooded: SpellCounts): string =>
  ` and ${perSecond(flooded)}/s by the flood (${flooded.accepted} accepted, ${flooded.unconfigured} unconfigured, ` +
  `${flooded.refused} refused, ${flooded.failed} bodies failed)`;

const perSecond = ({ offered, seconds }: SpellCounts): number => Math.round(offered / seconds);

const ask = <A>(helper: HelperProcess<unknown>, order: object, key: string): Promise<A> =>
  new Promise((resolve, reject) => {
    helper.onMessage((received) => {
      const message = received as Record<string, unknown>;
      if (key in message) resolve(message[key] as A);
      else if (typeof message["failed"] === "string") reject(new Error(message["failed"]));
    });
    helper.send(order);
  });
