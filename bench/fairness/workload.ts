import { customerName } from "../../demo/generator/customer-name.ts";

export const dataset = "http_requests";

/** The one that sends much; those with lower numbers, 99 of them, send little. */
export const heavyCustomer = 99;
export const heavyFactor = 100;
/** Of a light customer: one body a second. */
export const lightRecordsPerSecond = 20;
export const heavyBodyRecords = 500;
/** What the host takes: enough for all light customers, and for a fifth of the heavy one. */
export const hostRecordsPerSecond = 120 * lightRecordsPerSecond;

/** Places of the host: so few that the order in which they are given is what decides. */
export const settings = { limits: { pushesPerHostMax: 4, pushesPerHostFirst: 4 } };

/** One push job per customer with the same settings, all to the same host. */
export const fairnessJobs = (sinkUrl: string): { readonly jobs: ReadonlyArray<unknown> } => ({
  jobs: Array.from({ length: heavyCustomer + 1 }, (_, customer) => ({
    id: `bench-${customerName(customer)}`,
    customer: customerName(customer),
    dataset,
    destination: { kind: "http", url: `${sinkUrl}/${customer}` },
    batch: { maxIntervalSeconds: 3, maxRecords: 2_000 },
  })),
});
