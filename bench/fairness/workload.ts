import { customerName } from "../../demo/generator/customer-name.ts";

export const dataset = "http_requests";

/** Customers that send little; the one that sends much comes after them. */
export const lightCustomers = 99;
export const heavyCustomer = lightCustomers;
export const heavyFactor = 100;
/** Of a light customer: one body a second. */
export const lightRecordsPerSecond = 20;
export const heavyBodyRecords = 500;
/** What the host takes: enough for all light customers, and for a twentieth of the heavy one. */
export const hostRecordsPerSecond = 106 * lightRecordsPerSecond;

/** Places of the host: so few that the order in which they are given is what decides. */
export const settings = { limits: { pushesPerHostMax: 2, pushesPerHostFirst: 2 } };

/** One push job per customer with the same settings, all to the same host. */
export const fairnessJobs = (sinkUrl: string): { readonly jobs: ReadonlyArray<unknown> } => ({
  jobs: Array.from({ length: lightCustomers + 1 }, (_, customer) => ({
    id: `bench-${customerName(customer)}`,
    customer: customerName(customer),
    dataset,
    destination: { kind: "http", url: `${sinkUrl}/${customer}` },
    batch: { maxIntervalSeconds: 2, maxRecords: 2_000 },
  })),
});
