import { Console, DateTime, Effect } from "effect";
import { Command } from "effect/cli";
import type { ShownLetter } from "../../api/dead-letter-reports.ts";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { letterArgument, letterPath } from "./letter-id.ts";

export const show = Command.make(
  "show",
  { letter: letterArgument, url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const path = yield* letterPath(flags.letter);
    const client = yield* openClient(yield* connectionTo(flags.url));
    const letter = (yield* client.ask({ method: "GET", path })).body as ShownLetter;
    if (flags.json) return yield* Console.log(JSON.stringify(letter));
    const { customer, dataset, detail, millis, reason, record } = letter;
    // The reason to stderr: what is left on stdout is the record, for a pipe.
    yield* Console.error(
      `${customer} ${dataset}, refused at ${DateTime.formatIso(DateTime.makeUnsafe(millis))}: ${reason}, ${detail}`,
    );
    yield* Console.log(record);
  }, Effect.scoped),
).pipe(
  Command.withDescription("Print the record of a dead letter, and on stderr why it was refused"),
  Command.withShortDescription("Print the record of a dead letter"),
  Command.withExamples([{ command: "spillway dead-letters show acme-http/812/3 | jq .", description: "Look at it" }]),
);
