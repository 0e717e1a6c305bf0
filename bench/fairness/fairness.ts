import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readBooks, unexplainedRecords } from "../../demo/books.ts";
import { type HelperProcess, startHelper } from "../../demo/helper-process.ts";
import { SpillwayProcess } from "../../demo/spillway-process.ts";
import { jain, maxMinShares } from "../../src/domain/fairness.ts";
import type { GeneratorReport } from "./generator.ts";
import { fairnessHelp, type FairnessOptions, parseFairnessOptions } from "./options.ts";
import type { SinkReport } from "./sink.ts";
import { fairnessJobs, heavyCustomer, heavyFactor, lightRecordsPerSecond, settings } from "./workload.ts";

export { fairnessHelp };

/** The benchmark's figures. */
interface FairnessResult {
  readonly jainIndex: number;
  readonly lightP99LagRatio: number;
  readonly fifoJainIndex: number;
  readonly fifoLightP99LagRatio: number;
}

const jainMin = 0.95;
const lagRatioMax = 1.5;

/** Runs the benchmark; answers the exit code. */
export const runFairness = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseFairnessOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${fairnessHelp}`);
    return 2;
  }
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`${line}\n`);
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.abort(new Error("interrupted")));
  }
  try {
    const result = await measureAll(options, interrupted.signal, say);
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    const fifoFails = result.fifoJainIndex < jainMin || result.fifoLightP99LagRatio > lagRatioMax;
    const bars: ReadonlyArray<readonly [string, boolean]> = [
      [`Jain's index ${result.jainIndex} (at least ${jainMin})`, result.jainIndex >= jainMin],
      [
        `p99 lag of the light ${result.lightP99LagRatio} × (at most ${lagRatioMax})`,
        result.lightP99LagRatio <= lagRatioMax,
      ],
      [`FIFO fails: ${result.fifoJainIndex} and ${result.fifoLightP99LagRatio} ×`, fifoFails],
    ];
    say("");
    for (const [text, passed] of bars) say(`  ${passed ? "pass" : "FAIL"}  ${text}`);
    return bars.every(([, passed]) => passed) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`\nThe benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  }
};

const measureAll = async (
  options: FairnessOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<FairnessResult> => {
  const [cpu] = cpus();
  say(`${cpus().length} × ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`);
  const run = async (name: string, isHeavyHere: boolean, order: "fair" | "fifo") => {
    const report = await measureRun(options, isHeavyHere, order, signal);
    const light = report.records.slice(0, heavyCustomer).reduce((sum, each) => sum + each, 0);
    say(
      `  ${name.padEnd(22)} lag of the light p50 ${report.lightP50LagMillis} ms, p99 ${report.lightP99LagMillis} ms; records/s ` +
        `${(light / options.seconds).toFixed(0)} light, ${(report.records[heavyCustomer]! / options.seconds).toFixed(0)} heavy`,
    );
    return report;
  };
  const alone = await run("without the heavy one", false, "fair");
  const fair = await run("fair", true, "fair");
  const fifo = await run("FIFO", true, "fifo");
  const ratio = ({ lightP99LagMillis }: SinkReport) => round(lightP99LagMillis / alone.lightP99LagMillis, 2);
  return {
    jainIndex: round(jainOf(fair, options.seconds), 3),
    lightP99LagRatio: ratio(fair),
    fifoJainIndex: round(jainOf(fifo, options.seconds), 3),
    fifoLightP99LagRatio: ratio(fifo),
  };
};

/** Over what each customer got of its max-min fair share of what the host took altogether. */
const jainOf = ({ records }: SinkReport, seconds: number): number => {
  const demands = records.map((_, customer) =>
    customer === heavyCustomer ? lightRecordsPerSecond * heavyFactor : lightRecordsPerSecond,
  );
  const capacity = records.reduce((sum, each) => sum + each, 0) / seconds;
  const shares = maxMinShares(demands, capacity);
  return jain(records.map((each, customer) => each / seconds / shares[customer]!)) ?? 0;
};

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** One run on a fresh data directory. */
const measureRun = async (
  { seconds, warmSeconds }: FairnessOptions,
  isHeavyHere: boolean,
  order: "fair" | "fifo",
  signal: AbortSignal,
): Promise<SinkReport> => {
  signal.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), "spillway-bench-"));
  try {
    await using sink = await startHelper<{ url: string }>(new URL("sink.ts", import.meta.url), []);
    await using generator = await startHelper<object>(new URL("generator.ts", import.meta.url), [
      isHeavyHere ? "heavy" : "light",
    ]);
    const jobsFile = join(directory, "jobs.json");
    const settingsFile = join(directory, "settings.json");
    await writeFile(jobsFile, JSON.stringify(fairnessJobs(sink.ready.url)));
    await writeFile(settingsFile, JSON.stringify(settings));
    const environment = { SPILLWAY_BENCH_PUSH_ORDER: order };
    await using spillway = await SpillwayProcess.start({ directory, jobsFile, settingsFile, environment });
    generator.send({ url: spillway.url });
    await sleep(warmSeconds * 1_000, undefined, { signal });
    const fromMillis = Date.now();
    await sleep(seconds * 1_000, undefined, { signal });
    const report = await ask<SinkReport>(sink, { fromMillis, toMillis: Date.now() });
    const { bodies, refused } = await ask<GeneratorReport>(generator, {});
    if (refused > 0) throw new Error(`${refused} of ${bodies} bodies were refused`);
    const books = await readBooks(spillway.url);
    if (books === undefined) throw new Error("Spillway does not answer with its books");
    if (unexplainedRecords(books) !== 0) throw new Error("the books do not balance");
    return report;
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
};

const ask = <A>(helper: HelperProcess<unknown>, question: object): Promise<A> =>
  new Promise((resolve) => {
    helper.onMessage((message) => resolve((message as { readonly report: A }).report));
    helper.send(question);
  });
