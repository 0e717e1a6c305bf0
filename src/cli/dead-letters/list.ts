import { Console, DateTime, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { LetterPageReport, LetterSummary } from "../../api/dead-letter-reports.ts";
import { followPages } from "../../api/follow-pages.ts";
import { type ApiClient, openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { formatTable, grouped } from "../table.ts";
import { jobFlag } from "./letter-id.ts";

export const list = Command.make(
  "list",
  {
    job: jobFlag,
    customer: Flag.String("customer").pipe(Flag.withDescription("All dead letters of this customer"), Flag.optional),
    limit: Flag.Int("limit").pipe(Flag.withDescription("Print at most so many"), Flag.withDefault(100)),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const { letters, more } = yield* listLetters(client, flags);
    if (flags.json) return yield* Console.log(JSON.stringify({ letters, more }));
    if (letters.length === 0) return yield* Console.log("No dead letters.");
    yield* Console.log(formatLetters(letters));
    if (more) yield* Console.log(`… and more: --limit shows more than ${flags.limit}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("List records that a destination refused, oldest first"),
  Command.withExamples([
    { command: "spillway dead-letters list --job acme-http", description: "Those of one push job" },
    { command: "spillway dead-letters list --limit 1000 --json", description: "For scripts" },
  ]),
);

const listLetters = Effect.fnUntraced(function* (
  client: ApiClient,
  { customer, job, limit }: { job: Option.Option<string>; customer: Option.Option<string>; limit: number },
) {
  const { found, more } = yield* followPages((page) => {
    const query = new URLSearchParams({
      ...page,
      ...(Option.isSome(job) ? { job: job.value } : {}),
      ...(Option.isSome(customer) ? { customer: customer.value } : {}),
    });
    return client.ask({ method: "GET", path: `/v1/dead-letters?${query.toString()}` }).pipe(
      Effect.map(({ body }) => {
        const { letters, next } = body as LetterPageReport;
        return { items: letters, next };
      }),
    );
  }, limit);
  return { letters: found, more };
});

const formatLetters = (letters: ReadonlyArray<LetterSummary>): string =>
  formatTable(
    ["letter", "customer", "dataset", "refused at", "bytes", "why"].map((title) => ({
      title,
      align: title === "bytes" ? "right" : "left",
    })),
    letters.map(({ bytes, customer, dataset, detail, index, job, millis, sequence }) => [
      `${job}/${sequence}/${index}`,
      customer,
      dataset,
      DateTime.formatIso(DateTime.makeUnsafe(millis)),
      grouped(bytes),
      detail,
    ]),
  );
