import { customerName } from "../../demo/generator/customer-name.ts";

export const dataset = "http_requests";

/** Up to so many customers each body is of one customer; with more, each record names its own. */
export const customersPerBodyMax = 100;

/** As most push jobs of a busy customer have it. */
const maxIntervalSeconds = 5;

/** One pass-through push job per customer, all to the same sink. */
export const throughputJobs = (customers: number, sinkUrl: string): { readonly jobs: ReadonlyArray<unknown> } => ({
  jobs: Array.from({ length: customers }, (_, customer) => ({
    id: `bench-${customerName(customer)}`,
    customer: customerName(customer),
    dataset,
    destination: { kind: "http", url: `${sinkUrl}/in` },
    batch: { maxIntervalSeconds },
  })),
});
