import { customerName } from "../../demo/generator/customer-name.ts";

export const dataset = "http_requests";

/** Customers that were there before the surge. */
export const configured = 2_000;
/** So many times as many come with it. */
export const surgeFactor = 40;
export const strangers = configured * surgeFactor;

/** Destinations, each a host of its own; the last one is the newcomers'. */
export const hosts = 17;
export const newcomersHost = hosts - 1;

const maxIntervalSeconds = 5;

/** A pass-through push job. */
export const surgeJob = (customer: number, port: number) => ({
  id: `bench-${customerName(customer)}`,
  customer: customerName(customer),
  dataset,
  destination: { kind: "http", url: `http://127.0.0.1:${port}/in` },
  batch: { maxIntervalSeconds },
});

export const configuredJobs = (ports: ReadonlyArray<number>): { readonly jobs: ReadonlyArray<unknown> } => ({
  jobs: Array.from({ length: configured }, (_, customer) => surgeJob(customer, ports[customer % newcomersHost]!)),
});
