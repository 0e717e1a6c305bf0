import { parseSurgeOptions, surgeHelp } from "./options.ts";
import { surgeRun, type SurgeRun } from "./run.ts";

export { surgeHelp };

/** Runs the benchmark; answers the exit code. */
export const runSurge = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseSurgeOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${surgeHelp}`);
    return 2;
  }
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`${line}\n`);
  try {
    const runs: Array<SurgeRun> = [];
    for (let run = 1; run <= options.runs; run++) {
      say(`  run ${run}`);
      runs.push(await surgeRun(options, say));
    }
    const result = medianOf(runs);
    say("");
    const bars = barsOf(result);
    for (const [text, passed] of bars) say(`  ${passed ? "pass" : "FAIL"}  ${text}`);
    say(`  drained and open again after ${result.recoverSeconds.toFixed(1)} s, without a restart`);
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    return bars.every(([, passed]) => passed) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`\nThe benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
};

/** Below this the comparison says little. */
const baseRateMin = 5_000;

const barsOf = (result: SurgeRun): ReadonlyArray<readonly [text: string, passed: boolean]> => [
  [
    `configured customers offered ${result.offeredPerSecond} records/s in each phase (at least ${baseRateMin})`,
    result.offeredPerSecond >= baseRateMin,
  ],
  [`configured customers lost ${result.configuredLost} records (0)`, result.configuredLost === 0],
  [`${result.configuredRefused} of their records were refused (0)`, result.configuredRefused === 0],
  [`unexplained ${result.unexplained} (0)`, result.unexplained === 0],
  [`p99 lag ${result.p99LagRatio.toFixed(2)} times that of the calm (< 1.5)`, result.p99LagRatio < 1.5],
  [
    result.buffersMax < 0
      ? "the node does not tell how many buffers are resident"
      : `resident buffers ${result.buffersMax} (at most ${result.buffersLimit})`,
    result.buffersMax >= 0 && result.buffersMax <= result.buffersLimit,
  ],
  [`control reads p99 ${result.controlP99Ms.toFixed(0)} ms (< 250)`, result.controlP99Ms < 250],
];

/** Losses and bounds are the worst of all runs; the rest is each figure's own median. */
const worst: ReadonlySet<keyof SurgeRun> = new Set([
  "configuredLost",
  "configuredRefused",
  "unexplained",
  "buffersMax",
  "admissionMax",
]);

const medianOf = (runs: ReadonlyArray<SurgeRun>): SurgeRun => {
  const names = Object.keys(runs[0]!) as ReadonlyArray<keyof SurgeRun>;
  const figures = names.map((name) => {
    const values = runs.map((run) => run[name]);
    return [name, worst.has(name) ? Math.max(...values) : median(values)] as const;
  });
  return Object.fromEntries(figures) as Record<keyof SurgeRun, number>;
};

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
};
