import { parseArgs } from "node:util";
import { wholeNumber } from "../../demo/options.ts";
import { type Fault, faults } from "./workload.ts";

export interface IsolationOptions {
  /** Of all destinations, in percent; one row of the matrix each. */
  readonly percents: ReadonlyArray<number>;
  readonly faults: ReadonlyArray<Fault>;
  readonly pairs: number;
  readonly phaseSeconds: number;
  /** Records a second; 0: half of what was measured as capacity. */
  readonly rate: number;
  readonly json: boolean;
}

export const isolationHelp = `npm run bench -- isolation [options]

What a customer notices of others' bad destinations. 200 customers send at half of what this machine can take, each to
a destination of its own, batches of one second. Then some of the destinations hang, answer 500 or 429, drip, or reset
connections, in turns with healthy phases. The lag and the throughput of all the others are compared.

  --full          1 %, 10 % and 50 % of the destinations instead of 10 %
  --fault NAME    one of ${faults.join(", ")} instead of all
  --pairs N       healthy/faulty pairs per row (default 3)
  --seconds N     length of a phase (default 12)
  --rate N        records a second (default: half of the capacity, which is measured first)
  --json          one JSON object on stdout; everything for people goes to stderr
  --help          this text

Exit code 1 when a bar is missed: the others' p99 lag < 1.2 times and throughput > 0.95 times that of the healthy
phases, nothing lost, memory growth < 15 %.
`;

/** The options, or what is wrong with them. */
export const parseIsolationOptions = (args: ReadonlyArray<string>): IsolationOptions | { readonly problem: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        full: { type: "boolean", default: false },
        fault: { type: "string" },
        pairs: { type: "string", default: "3" },
        seconds: { type: "string", default: "12" },
        rate: { type: "string", default: "0" },
        json: { type: "boolean", default: false },
      },
    });
    const chosen = faults.filter((fault) => values.fault === undefined || fault === values.fault);
    if (chosen.length === 0) throw new Error(`--fault must be one of ${faults.join(", ")}`);
    return {
      percents: values.full ? [1, 10, 50] : [10],
      faults: chosen,
      pairs: wholeNumber("pairs", values.pairs, 1, 100),
      phaseSeconds: wholeNumber("seconds", values.seconds, 2, 600),
      rate: wholeNumber("rate", values.rate, 0, 10_000_000),
      json: values.json,
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};
