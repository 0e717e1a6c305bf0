import { parseArgs } from "node:util";
import { customersMax } from "./generator/customer-name.ts";

export interface DemoOptions {
  /** Of the generator, or at most so many of the file. */
  readonly records: number | undefined;
  readonly customers: number;
  /** Where everything goes and stays. */
  readonly out: string | undefined;
  /** NDJSON to send instead of generated records. */
  readonly file: string | undefined;
  readonly json: boolean;
  readonly seed: number;
  /** Whether the temporary directory stays. */
  readonly keep: boolean;
  /** How often Spillway is killed on the way. */
  readonly kills: number;
}

export const defaultRecords = 200_000;

export const demoHelp = `npm run demo -- [options]

Runs Spillway with its own nats-server, 100 push jobs over files, an HTTP receiver and an S3 server, sends 200,000
generated records at full speed, and then checks every single one of them where it was delivered.

  --records N     records to send (default ${defaultRecords.toLocaleString("en")})
  --customers N   customers, each with one push job (default 100)
  --kill N        kill -9 Spillway N times on the way and start it again (default 0)
  --out DIR       keep everything in DIR, which must be empty or new: data, deliveries, logs
  --keep          keep the temporary directory
  --file FILE     send these NDJSON records instead of generated ones (.gz is inflated)
  --seed N        another seed gives other records (default 1)
  --json          the last line of stdout is one JSON object; everything for people goes to stderr
  --help          this text

Exit code 0 when nothing was lost, nothing is there twice and the books explain every record; else 1.
`;

/** The options, or what is wrong with them. */
export const parseDemoOptions = (args: ReadonlyArray<string>): DemoOptions | "help" | { readonly problem: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        records: { type: "string" },
        customers: { type: "string", default: "100" },
        out: { type: "string" },
        file: { type: "string" },
        json: { type: "boolean", default: false },
        seed: { type: "string", default: "1" },
        keep: { type: "boolean", default: false },
        kill: { type: "string", default: "0" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    return {
      records: values.records === undefined ? undefined : wholeNumber("records", values.records, 1, 100_000_000),
      customers: wholeNumber("customers", values.customers, 1, customersMax),
      out: values.out,
      file: values.file,
      json: values.json,
      seed: wholeNumber("seed", values.seed, 0, 2 ** 31 - 1),
      keep: values.keep,
      kills: wholeNumber("kill", values.kill, 0, 100),
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};

/** `200000`, `200_000` or `200,000` within bounds. */
export const wholeNumber = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text.replaceAll(/(?<=\d)[_,](?=\d)/g, ""));
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
};
