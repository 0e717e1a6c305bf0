import { Console, DateTime, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { ReceiptReasonName, type ReceiptReport } from "../api/buffer-reports.ts";
import { followPages } from "../api/follow-pages.ts";
import { type ApiClient, openClient } from "./client.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

const filter = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional);

const filters = {
  job: filter("job", "Only those of this push job"),
  customer: filter("customer", "Only those of this customer"),
  dataset: filter("dataset", "Only those of this dataset"),
  reason: Flag.Literals("reason", ReceiptReasonName.literals).pipe(
    Flag.withDescription("Only those with this reason"),
    Flag.optional,
  ),
  since: filter("since", "Only those from this time on, such as 2026-11-23T07:00:00Z"),
};

export const receipts = Command.make(
  "receipts",
  {
    ...filters,
    limit: Flag.Int("limit").pipe(Flag.withDescription("Print at most so many"), Flag.withDefault(1_000)),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const { job, customer, dataset, reason, since } = flags;
    const asked = Object.entries({ job, customer, dataset, reason, since }).flatMap(
      ([name, value]): ReadonlyArray<readonly [string, string]> => (Option.isSome(value) ? [[name, value.value]] : []),
    );
    const { found, more } = yield* listReceipts(client, asked, flags.limit);
    if (flags.json) return yield* Console.log(JSON.stringify({ receipts: found, more }));
    if (found.length === 0)
      return yield* Console.log(
        "No receipts: everything that was accepted is delivered or pending, and no customer was held back.",
      );
    yield* Console.log(formatReceipts(found));
    if (more) yield* Console.log(`… and more: --limit shows more than ${flags.limit}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "List what was accepted and not delivered, oldest first: which records of which push job, how many, and why.",
  ),
  Command.withShortDescription("What was accepted and not delivered, and why"),
  Command.withExamples([
    { command: "spillway receipts --customer acme --since 2026-11-23T00:00:00Z", description: "What acme lost today" },
    { command: "spillway receipts --job acme-http --json", description: "For scripts" },
  ]),
);

const listReceipts = Effect.fnUntraced(function* (
  client: ApiClient,
  asked: ReadonlyArray<readonly [string, string]>,
  limit: number,
) {
  const { found, more } = yield* followPages((page) => {
    const query = new URLSearchParams({ ...Object.fromEntries(asked), ...page });
    return client.ask({ method: "GET", path: `/v1/receipts?${query.toString()}` }).pipe(
      Effect.map(({ body }) => {
        const answer = body as { readonly receipts: ReadonlyArray<ReceiptReport>; readonly next?: string };
        return { items: answer.receipts, next: answer.next };
      }),
    );
  }, limit);
  return { found: found.toSorted((a, b) => a.millis - b.millis), more };
});

const right = new Set(["first", "last", "records", "bytes"]);

const formatReceipts = (found: ReadonlyArray<ReceiptReport>): string =>
  formatTable(
    ["time", "job", "customer", "dataset", "reason", "first", "last", "records", "bytes"].map((title) => ({
      title,
      align: right.has(title) ? "right" : "left",
    })),
    found.map((receipt) => [
      DateTime.formatIso(DateTime.makeUnsafe(receipt.millis)),
      receipt.refusal === undefined ? receipt.job : "-",
      receipt.customer,
      receipt.dataset,
      receipt.refusal === undefined ? receipt.reason : `${receipt.reason}: ${receipt.refusal.door}`,
      String(receipt.firstSequence),
      String(receipt.lastSequence),
      grouped(receipt.records),
      grouped(receipt.bytes),
    ]),
  );
