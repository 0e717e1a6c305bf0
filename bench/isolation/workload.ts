import { customerName } from "../../demo/generator/customer-name.ts";

export const dataset = "http_requests";

export const customers = 200;
/** Of one customer; a customer that sends two of them a second has lively batches with an interval of one second. */
export const bodyRecords = 100;

/** How a destination can be bad. */
export const faults = ["hang", "500", "429", "drip", "reset"] as const;
export type Fault = (typeof faults)[number];

/** One push job per customer, each to a destination host of its own. */
export const isolationJobs = (ports: ReadonlyArray<number>): { readonly jobs: ReadonlyArray<unknown> } => ({
  jobs: ports.map((port, customer) => ({
    id: `bench-${customerName(customer)}`,
    customer: customerName(customer),
    dataset,
    destination: { kind: "http", url: `http://127.0.0.1:${port}/in` },
    batch: { maxIntervalSeconds: 1 },
  })),
});
