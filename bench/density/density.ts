import { number } from "../../demo/progress.ts";
import { type BufferPages, measureBufferPages } from "./buffer-pages.ts";
import { densityHelp, parseDensityOptions } from "./options.ts";
import { type Measurement, measure } from "./measure.ts";

export { densityHelp };

const activeShare = 0.01;
const timedMax = 1_000;
/** Megabytes, seconds, milliseconds. */
const bars = { rssMb: 2_500, startSeconds: 60, wakeP99Ms: 50, buffersPageP99Ms: 300 };
/** So many are in the view when its pages are timed: on a node of their own. */
const pagedBuffers = 100_000;

/** Runs the benchmark; answers the exit code. */
export const runDensity = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseDensityOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${densityHelp}`);
    return 2;
  }
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.abort(new Error("interrupted")));
  }
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`${line}\n`);
  const active = Math.max(10, Math.round(options.jobs * activeShare));
  const timed = Math.min(timedMax, Math.ceil(active / 2));
  try {
    say(`${number(options.jobs)} push jobs, ${number(active)} active`);
    const measured = await measure({ ...options, active, timed, signal: interrupted.signal, say });
    say(`  Spillway ${number(measured.spillwayRssMb)} MB at most (${number(measured.steadyRssMb)} MB in the end)`);
    say(`  nats-server ${number(measured.natsRssMb)} MB at most`);
    say(`  woken: p50 ${measured.wakeP50Ms} ms, p99 ${measured.wakeP99Ms} ms (${number(timed)} one by one)`);
    const buffers = Math.min(pagedBuffers, options.jobs);
    say(`${number(buffers)} buffers, listed by state`);
    const paged = await measureBufferPages({ buffers, signal: interrupted.signal });
    say(`  ${number(paged.pages)} pages: p99 ${paged.buffersPageP99Ms} ms, at most ${paged.buffersPageMostMs} ms`);
    return verdict({ ...measured, ...paged }, options.json, say);
  } catch (error) {
    process.stderr.write(`\nThe benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  }
};

const verdict = (measured: Measurement & BufferPages, json: boolean, say: (line: string) => void): number => {
  const { buffersPageP99Ms, jobs, natsRssMb, spillwayRssMb, startSeconds, wakeP99Ms } = measured;
  if (json) {
    const figures = { jobs, spillwayRssMb, natsRssMb, startSeconds, wakeP99Ms, buffersPageP99Ms };
    process.stdout.write(`${JSON.stringify({ ...figures, bars })}\n`);
  }
  const checks: ReadonlyArray<readonly [string, number, number]> = [
    ["Spillway, MB", spillwayRssMb, bars.rssMb],
    ["nats-server, MB", natsRssMb, bars.rssMb],
    ["start, s", startSeconds, bars.startSeconds],
    ["waking p99, ms", wakeP99Ms, bars.wakeP99Ms],
    ["a page of buffers p99, ms", buffersPageP99Ms, bars.buffersPageP99Ms],
  ];
  say("\nBars, on two cores with fsync on:");
  for (const [what, value, most] of checks)
    say(`  ${value < most ? "pass" : "FAIL"}  ${what}: ${value}, below ${most}`);
  return checks.every(([, value, most]) => value < most) ? 0 : 1;
};
