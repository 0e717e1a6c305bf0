import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { openClient } from "../client.ts";
import { connectionTo, urlFlag } from "../connection.ts";
import { idArgument } from "./get.ts";
import { jobPath } from "./shown-job.ts";

export const remove = Command.make(
  "delete",
  { id: idArgument, url: urlFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    yield* client.ask({ method: "DELETE", path: jobPath(flags.id) });
    yield* Console.log(`deleted ${flags.id}; \`spillway jobs restore ${flags.id}\` brings it back`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("Delete a push job. What it had not delivered yet is dropped, with a receipt."),
  Command.withShortDescription("Delete a push job"),
  Command.withExamples([{ command: "spillway jobs delete acme-http", description: "Delete one job" }]),
);
