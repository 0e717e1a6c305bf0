import { parseArgs } from "node:util";
import { wholeNumber } from "../../demo/options.ts";

export interface FairnessOptions {
  /** Of each run, after the warm-up. */
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly json: boolean;
}

export const fairnessHelp = `npm run bench -- fairness [options]

One customer sends 100 times as much as each of 99 others, all to one destination host that takes little more than
what those 99 send. Three runs of a fresh \`spillway dev\`: without the heavy customer, with it, and with it while
pushes begin in the order in which they were asked for (FIFO), which has to fail.

  --seconds N   seconds measured per run (default 60)
  --warm N      seconds before (default 30)
  --json        one JSON object on stdout; everything for people goes to stderr
  --help        this text

Exit code 1 when a bar is missed: Jain's index over what each got of its max-min fair share at least 0.95; p99 lag of
the 99 at most 1.5 times that of the run without the heavy one; FIFO misses one of the two.
`;

/** The options, or what is wrong with them. */
export const parseFairnessOptions = (args: ReadonlyArray<string>): FairnessOptions | { readonly problem: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string", default: "60" },
        warm: { type: "string", default: "30" },
        json: { type: "boolean", default: false },
      },
    });
    return {
      seconds: wholeNumber("seconds", values.seconds, 1, 3_600),
      warmSeconds: wholeNumber("warm", values.warm, 1, 3_600),
      json: values.json,
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};
