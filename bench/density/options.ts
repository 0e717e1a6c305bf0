import { parseArgs } from "node:util";
import { wholeNumber } from "../../demo/options.ts";

export interface DensityOptions {
  readonly jobs: number;
  readonly json: boolean;
}

export const densityHelp = `npm run bench -- density [options]

Starts \`spillway dev\` on a data directory in which every push job has a row in its partition's control stream and a
record in its partition's log, and wakes 1 % of them. Measured: how long the start takes until a record is delivered,
the most memory that Spillway and its nats-server ever had, and how long a hibernated customer's records take from
their acknowledgement to their destination. Then, on a node with 100,000 push jobs (or N, when that is fewer), how long
pages of \`GET /v1/buffers?state=…\` take.

The data are built first, by Spillway's own code: jobs in the bucket, records through the outbox, rows through
checkpoints. The rows say that the record was delivered; the pushes themselves are left out (and the fsyncs).

  --jobs N        push jobs (default 1,000,000)
  --json          the figures as one JSON object on stdout; everything for people goes to stderr
  --help          this text

Exit code 1 when a bar is missed: 2,500 MB for Spillway and for nats-server each, 60 s to start, 50 ms to wake (p99),
300 ms for a page of buffers (p99).
`;

/** The options, or what is wrong with them. */
export const parseDensityOptions = (args: ReadonlyArray<string>): DensityOptions | { readonly problem: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { jobs: { type: "string", default: "1000000" }, json: { type: "boolean", default: false } },
    });
    return { jobs: wholeNumber("jobs", values.jobs, 1_000, 1_000_000), json: values.json };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};
