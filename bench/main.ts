import { fairnessHelp, runFairness } from "./fairness/fairness.ts";
import { generateHelp, runGenerate } from "./generate/generate.ts";
import { inspectionHelp, runInspection } from "./inspection/inspection.ts";
import { isolationHelp, runIsolation } from "./isolation/isolation.ts";
import { runSurge, surgeHelp } from "./surge/surge.ts";
import { densityHelp, runDensity } from "./density/density.ts";
import { runThroughput, throughputHelp } from "./throughput/throughput.ts";

/** One entry per benchmark: what it measures, and how to run it. Each has a folder of its own. */
const benchmarks: Readonly<
  Record<
    string,
    { readonly about: string; readonly help: string; readonly run: (args: ReadonlyArray<string>) => Promise<number> }
  >
> = {
  throughput: {
    about: "records a second, CPU and memory of the whole path, from HTTP to HTTP",
    help: throughputHelp,
    run: runThroughput,
  },
  isolation: {
    about: "what a customer notices of other customers' bad destinations",
    help: isolationHelp,
    run: runIsolation,
  },
  surge: {
    about: "what configured customers notice when forty times as many come at once",
    help: surgeHelp,
    run: runSurge,
  },
  density: {
    about: "a million push jobs with rows, 1 % active: memory, start, waking",
    help: densityHelp,
    run: runDensity,
  },
  fairness: {
    about: "what 99 customers get of a host that they share with one of 100 times their traffic",
    help: fairnessHelp,
    run: runFairness,
  },
  generate: {
    about: "a snapshot of the configuration of a million push jobs, whole and after one change",
    help: generateHelp,
    run: runGenerate,
  },
  inspection: {
    about: "what watching one buffer costs the others",
    help: inspectionHelp,
    run: runInspection,
  },
};

const list = Object.entries(benchmarks)
  .map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`)
  .join("\n");

const help = `npm run bench -- BENCHMARK [options]

${list}

npm run bench -- BENCHMARK --help tells its options.
`;

const [name, ...args] = process.argv.slice(2);
const benchmark = name === undefined ? undefined : benchmarks[name];
if (benchmark !== undefined && (args.includes("--help") || args.includes("-h"))) {
  process.stdout.write(benchmark.help);
} else if (benchmark !== undefined) {
  // Sockets that linger must not keep a finished benchmark alive.
  process.exit(await benchmark.run(args));
} else if (name === "--help" || name === "-h") {
  process.stdout.write(help);
} else {
  process.stderr.write(`${name === undefined ? "Which benchmark?" : `There is no benchmark "${name}".`}\n\n${help}`);
  process.exitCode = 2;
}
