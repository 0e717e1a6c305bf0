import { Effect } from "effect";
import type { ReceiptReport } from "../../api/buffer-reports.ts";
import type { BooksReport } from "../../api/reports.ts";
import type { DrillWorld } from "../world/drill-world.ts";
import type { NodeClient } from "../world/node-client.ts";

const pageRecords = 1_000;
/** The books of a job that was taken for deleted are gone with it, and what came afterwards is in nobody's. */
const jobless = ["deleted", "unclaimed"] as const;

/** What the books say of these customers' records that were not delivered. Each node tells of its own partitions. */
export const readBooked = Effect.fnUntraced(function* ({ nodes }: DrillWorld, customers: ReadonlyArray<string>) {
  const ours = new Set(customers);
  const all = yield* Effect.forEach(nodes, ({ client }) => bookedAt(client, ours));
  const receipted = yield* Effect.forEach(jobless, (reason) => receiptedAs(reason, nodes[0]!.client, ours));
  return {
    deadLettered: all.reduce((sum, { deadLettered }) => sum + deadLettered, 0),
    givenUp: [...all.map(({ givenUp }) => givenUp), ...receipted].reduce((sum, records) => sum + records, 0),
  };
});

const bookedAt = Effect.fnUntraced(function* ({ ask }: NodeClient, ours: ReadonlySet<string>) {
  const sums = { deadLettered: 0, givenUp: 0 };
  let after: string | undefined;
  do {
    const page = (yield* ask({ method: "GET", path: pagePath("/v1/books", after) })).json as BooksReport;
    for (const { books, customer } of page.jobs) {
      if (!ours.has(customer)) continue;
      sums.deadLettered += books.deadLettered.records;
      sums.givenUp += books.expired.records + books.shed.records;
    }
    after = page.next;
  } while (after !== undefined);
  return sums;
});

/** Any node tells of all receipts. */
const receiptedAs = Effect.fnUntraced(function* (
  reason: (typeof jobless)[number],
  { ask }: NodeClient,
  ours: ReadonlySet<string>,
) {
  let records = 0;
  let after: string | undefined;
  do {
    const { json } = yield* ask({ method: "GET", path: `${pagePath("/v1/receipts", after)}&reason=${reason}` });
    const page = json as { readonly receipts: ReadonlyArray<ReceiptReport>; readonly next?: string };
    for (const receipt of page.receipts) if (ours.has(receipt.customer)) records += receipt.records;
    after = page.next;
  } while (after !== undefined);
  return records;
});

const pagePath = (path: string, after: string | undefined): string =>
  `${path}?limit=${pageRecords}${after === undefined ? "" : `&after=${encodeURIComponent(after)}`}`;
