import { parseArgs } from "node:util";
import { customersMax } from "../../demo/generator/customer-name.ts";
import { wholeNumber } from "../../demo/options.ts";

export interface ThroughputOptions {
  /** Per run; undefined: what {@link defaultRecords} says. */
  readonly records: number | undefined;
  /** One figure per entry. */
  readonly customers: ReadonlyArray<number>;
  readonly runs: number;
  readonly json: boolean;
  readonly seed: number;
}

export const throughputHelp = `npm run bench -- throughput [options]

Sends records to a fresh \`spillway dev\` over HTTP and takes them at the other end over HTTP, with fsync on.
Generator and sink are processes of their own. Counted: CPU of Spillway and of its nats-server, from just before the
first byte is sent until the last record is delivered, and the most memory that the two ever had.

  --records N     records per run (default 3,000,000; 1,000,000 with more than 100 customers)
  --customers N   100 or fewer: one customer a body; more: mixed bodies, by customer field (default: 100, then 10,000)
  --runs N        runs of which the medians are told (default 5)
  --seed N        another seed gives other records (default 1)
  --json          one JSON object per customer count on stdout; everything for people goes to stderr
  --help          this text

Exit code 1 when a bar is missed: 6 CPU-seconds per million records with 100 customers, twice that with 10,000.
`;

/** Long enough that compiling the hot paths is a small part, short enough for a coffee. */
export const defaultRecords = (customers: number): number => (customers > 100 ? 1_000_000 : 3_000_000);

/** The options, or what is wrong with them. */
export const parseThroughputOptions = (
  args: ReadonlyArray<string>,
): ThroughputOptions | { readonly problem: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        records: { type: "string" },
        customers: { type: "string" },
        runs: { type: "string", default: "5" },
        seed: { type: "string", default: "1" },
        json: { type: "boolean", default: false },
      },
    });
    return {
      records: values.records === undefined ? undefined : wholeNumber("records", values.records, 1, 100_000_000),
      customers:
        values.customers === undefined ? [100, 10_000] : [wholeNumber("customers", values.customers, 1, customersMax)],
      runs: wholeNumber("runs", values.runs, 1, 1_000),
      seed: wholeNumber("seed", values.seed, 0, 2 ** 31 - 1),
      json: values.json,
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};
