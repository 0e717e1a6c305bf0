import { join } from "node:path";
import { customerName } from "./generator/customer-name.ts";
import type { S3Server } from "./s3-server.ts";

export const dataset = "http_requests";

export const destinationKinds = ["file", "http", "s3"] as const;
export type DestinationKind = (typeof destinationKinds)[number];

/** The three kinds take turns. */
export const kindOf = (customer: number): DestinationKind => destinationKinds[customer % 3] as DestinationKind;

export interface Places {
  /** Folder of one folder per customer. */
  readonly files: string;
  /** Such as `http://127.0.0.1:1234`. */
  readonly receiver: string;
  readonly s3: Omit<S3Server, "close">;
}

/** Batches end at the latest after this, so that the demo ends soon. */
const maxIntervalSeconds = 2;

/** One push job per customer, as `spillway dev --jobs` reads them. */
export const pushJobs = (customers: number, places: Places): { readonly jobs: ReadonlyArray<unknown> } => ({
  jobs: Array.from({ length: customers }, (_, customer) => ({
    id: `demo-${customerName(customer)}`,
    customer: customerName(customer),
    dataset,
    destination: destinationOf(customer, places),
    batch: { maxIntervalSeconds },
  })),
});

const destinationOf = (customer: number, { files, receiver, s3 }: Places) => {
  const name = customerName(customer);
  const settings = {
    file: { path: join(files, name, "{DATE}") },
    http: { url: `${receiver}/${name}` },
    s3: { ...s3, path: `${name}/{DATE}` },
  };
  const kind = kindOf(customer);
  return { kind, ...settings[kind] };
};
