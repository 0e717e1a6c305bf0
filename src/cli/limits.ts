import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { openClient } from "./client.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

interface LimitsBody {
  readonly limits: ReadonlyArray<{ readonly name: string; readonly value: number; readonly usage?: number }>;
}

export const limits = Command.make(
  "limits",
  { url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const body = (yield* client.ask({ method: "GET", path: "/v1/limits" })).body as LimitsBody;
    if (flags.json) return yield* Console.log(JSON.stringify(body));
    yield* Console.log(
      formatTable(
        [
          { title: "limit", align: "left" },
          { title: "value", align: "right" },
          { title: "in use", align: "right" },
        ],
        body.limits.map(({ name, value, usage }) => [name, grouped(value), usage === undefined ? "-" : grouped(usage)]),
      ),
    );
  }, Effect.scoped),
).pipe(
  Command.withDescription("Print every limit of the running node, its value and how much of it is in use"),
  Command.withShortDescription("Limits of the running node"),
  Command.withExamples([{ command: "spillway limits --json", description: "For scripts" }]),
);
