import { Effect } from "effect";
import type { BooksReport } from "../../api/reports.ts";
import type { DrillWorld } from "../world/drill-world.ts";
import type { NodeClient } from "../world/node-client.ts";

const pageRecords = 1_000;

/** What the books say of these customers' records that were not delivered. Each node tells of its own partitions. */
export const readBooked = ({ nodes }: DrillWorld, customers: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach(nodes, ({ client }) => bookedAt(client, new Set(customers))),
    (all) => ({
      deadLettered: all.reduce((sum, { deadLettered }) => sum + deadLettered, 0),
      givenUp: all.reduce((sum, { givenUp }) => sum + givenUp, 0),
    }),
  );

const bookedAt = Effect.fnUntraced(function* ({ ask }: NodeClient, ours: ReadonlySet<string>) {
  const sums = { deadLettered: 0, givenUp: 0 };
  let after: string | undefined;
  do {
    const from = after === undefined ? "" : `&after=${encodeURIComponent(after)}`;
    const page = (yield* ask({ method: "GET", path: `/v1/books?limit=${pageRecords}${from}` })).json as BooksReport;
    for (const { books, customer } of page.jobs) {
      if (!ours.has(customer)) continue;
      sums.deadLettered += books.deadLettered.records;
      sums.givenUp += books.expired.records + books.shed.records;
    }
    after = page.next;
  } while (after !== undefined);
  return sums;
});
