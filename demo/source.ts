import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import type { Expectation } from "./check/findings.ts";
import { eachLine } from "./check/findings.ts";
import { expectLines } from "./check/line-expectation.ts";
import { expectRays } from "./check/ray-expectation.ts";
import { type PlannedBody, planBodies } from "./generator/body-plan.ts";
import { RequestLog } from "./generator/request-log.ts";
import { type DemoOptions, defaultRecords } from "./options.ts";

/** What the demo sends, and what it therefore expects to find. */
export interface Source {
  readonly records: number;
  readonly bodies: ReadonlyArray<PlannedBody>;
  readonly contentOf: (body: PlannedBody) => Buffer;
  readonly expectation: Expectation;
  /** Whether Spillway may refuse records: a file may hold what is not JSON objects. */
  readonly mayBeRefused: boolean;
}

const bodyRecordsMax = 1_000;

export const makeSource = (options: DemoOptions): Promise<Source> | Source =>
  options.file === undefined ? generated(options) : fromFile(options, options.file);

const generated = (options: DemoOptions): Source => {
  const records = options.records ?? defaultRecords;
  const log = new RequestLog({ seed: options.seed, customerField: false });
  return {
    records,
    bodies: plan(options, records),
    contentOf: ({ first, records: count }) => log.body(first, count),
    expectation: expectRays({ records, rayIds: log.rayIds }),
    mayBeRefused: false,
  };
};

/** The lines of a file, given to customers in runs. Empty lines and carriage returns are no part of a record. */
const fromFile = async (options: DemoOptions, file: string): Promise<Source> => {
  const raw = await readFile(file);
  const content = file.endsWith(".gz") ? gunzipSync(raw) : raw;
  const lines: Array<Buffer> = [];
  eachLine(content, (line) => {
    const record = line.at(-1) === 13 ? line.subarray(0, -1) : line;
    if (record.length > 0 && lines.length < (options.records ?? Infinity)) lines.push(record);
  });
  if (lines.length === 0) throw new Error(`${file} holds no records`);
  const newline = Buffer.from("\n");
  return {
    records: lines.length,
    bodies: plan(options, lines.length),
    contentOf: ({ first, records }) =>
      Buffer.concat(lines.slice(first, first + records).flatMap((line) => [line, newline])),
    expectation: expectLines(),
    mayBeRefused: true,
  };
};

const plan = ({ customers, seed }: DemoOptions, records: number) =>
  planBodies({ seed, records, customers, bodyRecordsMax, distribution: "skewed" });
