import { batchDefaults, PushJob } from "../../src/domain/push-job.ts";
import { makePair, type Pair } from "../../src/domain/partition.ts";

export const dataset = "http_requests";
export const partitions = 8;

export const customerOf = (number: number): string => `customer-${String(number).padStart(7, "0")}`;
export const jobIdOf = (number: number): string => `bench-${customerOf(number)}`;
export const pairOf = (number: number): Pair => makePair(customerOf(number), dataset, partitions);

/** A batch ends with its thousandth record, or after a second. */
export const batchRecordsMax = 1_000;

export const jobOf = (number: number, sinkUrl: string): PushJob =>
  PushJob.make({
    id: jobIdOf(number) as PushJob["id"],
    customer: customerOf(number) as PushJob["customer"],
    dataset: dataset as PushJob["dataset"],
    enabled: true,
    destination: { kind: "http", url: `${sinkUrl}/${customerOf(number)}` },
    batch: { ...batchDefaults, maxRecords: batchRecordsMax, maxIntervalSeconds: 1 },
  });

/** One record as a line. */
export const lineOf = (number: number, sequence: number): string =>
  `{"Customer":"${customerOf(number)}","ClientRequestMethod":"GET","EdgeResponseStatus":200,"n":${sequence}}\n`;
