import { cpus, totalmem } from "node:os";
import { number } from "../../demo/progress.ts";
import { barsOf } from "./bars.ts";
import { type Measurement, measureRun, type Run } from "./measure.ts";
import { defaultRecords, parseThroughputOptions, throughputHelp, type ThroughputOptions } from "./options.ts";

export { throughputHelp };

/** Runs the benchmark; answers the exit code. */
export const runThroughput = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseThroughputOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${throughputHelp}`);
    return 2;
  }
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.abort(new Error("interrupted")));
  }
  const out = options.json ? process.stderr : process.stdout;
  try {
    return await measureAll(options, interrupted.signal, (line) => void out.write(`${line}\n`));
  } catch (error) {
    process.stderr.write(`\nThe benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  }
};

const measureAll = async (
  options: ThroughputOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<number> => {
  say(machine());
  const medians: Array<Measurement> = [];
  for (const customers of options.customers) {
    const bodies = customers > 100 ? "mixed bodies" : "one customer a body";
    const records = options.records ?? defaultRecords(customers);
    say(`\n${number(records)} records, ${number(customers)} customers, ${bodies}, ${options.runs} runs`);
    const runs: Array<Run> = [];
    for (let run = 1; run <= options.runs; run++) {
      const measured = await measureRun({ ...options, records, customers, signal });
      runs.push(measured);
      say(`  ${run}: ${describe(measured)}`);
    }
    const median = medianOf(runs);
    medians.push(median);
    say(`  median: ${summary(median)}`);
    if (options.json) process.stdout.write(`${JSON.stringify(median)}\n`);
  }
  const bars = barsOf(medians);
  if (bars.length > 0) say("\nBars, on two cores with fsync on:");
  for (const { passed, text } of bars) say(`  ${passed ? "pass" : "FAIL"}  ${text}`);
  return bars.every(({ passed }) => passed) ? 0 : 1;
};

const machine = (): string => {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}, Node ${process.version}`;
};

const summary = (run: Measurement): string =>
  `${number(run.recordsPerSecond)} records/s end to end, ${run.cpuSecondsPerMillion.toFixed(2)} CPU-s per million ` +
  `(nats-server ${run.natsCpuSecondsPerMillion.toFixed(2)}), peak ${number(run.peakRssMb)} MB`;

const describe = (run: Run): string =>
  `${summary(run)}; accepted at ${number(run.acceptedPerSecond)}/s, ${number(run.batches)} batches, ` +
  `compressed ${run.compression.toFixed(1)}×${run.repeatedRequests === 0 ? "" : `, ${run.repeatedRequests} requests sent again`}`;

const median = (values: ReadonlyArray<number>, digits: number): number => {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
  return Number(middle.toFixed(digits));
};

/** Each figure's own median. */
const medianOf = (runs: ReadonlyArray<Run>): Measurement => {
  const of = (figure: keyof Measurement, digits: number) =>
    median(
      runs.map((run) => run[figure]),
      digits,
    );
  return {
    records: of("records", 0),
    customers: of("customers", 0),
    recordsPerSecond: of("recordsPerSecond", 0),
    cpuSecondsPerMillion: of("cpuSecondsPerMillion", 2),
    natsCpuSecondsPerMillion: of("natsCpuSecondsPerMillion", 2),
    peakRssMb: of("peakRssMb", 0),
  };
};
