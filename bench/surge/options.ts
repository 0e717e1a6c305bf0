import { parseArgs } from "node:util";
import { wholeNumber } from "../../demo/options.ts";
import { configured, strangers } from "./workload.ts";

export interface SurgeOptions {
  readonly runs: number;
  readonly phaseSeconds: number;
  /** Records a second of the configured customers. */
  readonly rate: number;
  /** Records a second of those who come with the surge. */
  readonly surgeRate: number;
  /** How many of them get a push job in phase (b). */
  readonly newJobs: number;
  /** Where control reads go; undefined: where everything goes. */
  readonly controlUrl: string | undefined;
  readonly json: boolean;
}

export const surgeHelp = `npm run bench -- surge [options]

${configured} configured customers at a steady rate; then 40 times as many come with them: first without push jobs (a),
then newly configured (b). What do the first ones notice? Each run has a node of its own.

  --runs N          runs of which the medians are told (default 3)
  --seconds N       length of a phase (default 20)
  --rate N          records a second of the configured customers (default 5500)
  --surge-rate N    records a second of the others (default 20000)
  --new-jobs N      how many of the others are configured for phase (b) (default ${strangers})
  --control-url U   where control reads are sent (default: the node's one address)
  --json            one JSON object on stdout; everything for people goes to stderr
  --help            this text

Exit code 1 when a bar is missed: configured customers lose nothing and none of their records is refused, p99 lag < 1.5
times that of the calm, resident buffers within their limit, control reads p99 < 250 ms, and everything drained and
back to open without a restart.
`;

/** The options, or what is wrong with them. */
export const parseSurgeOptions = (args: ReadonlyArray<string>): SurgeOptions | { readonly problem: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        runs: { type: "string", default: "3" },
        seconds: { type: "string", default: "20" },
        rate: { type: "string", default: "5500" },
        "surge-rate": { type: "string", default: "20000" },
        "new-jobs": { type: "string", default: String(strangers) },
        "control-url": { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    return {
      runs: wholeNumber("runs", values.runs, 1, 100),
      phaseSeconds: wholeNumber("seconds", values.seconds, 2, 600),
      rate: wholeNumber("rate", values.rate, 1_000, 1_000_000),
      surgeRate: wholeNumber("surge-rate", values["surge-rate"], 1_000, 10_000_000),
      newJobs: wholeNumber("new-jobs", values["new-jobs"], 1, strangers),
      controlUrl: values["control-url"],
      json: values.json,
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};
