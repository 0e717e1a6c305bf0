import { Console, Effect } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { openClient } from "../client.ts";
import { misused } from "../command-failure.ts";
import { connectionTo, urlFlag } from "../connection.ts";
import { jobFlag, jobLettersPath, letterArgument, oneOrAll } from "./letter-id.ts";

export const drop = Command.make(
  "drop",
  {
    letter: letterArgument.pipe(Argument.optional),
    job: jobFlag,
    yes: Flag.Boolean("yes").pipe(Flag.withDescription("Really all of a push job"), Flag.withDefault(false)),
    url: urlFlag,
  },
  Effect.fn(function* (flags) {
    const which = yield* oneOrAll(flags.letter, flags.job);
    if (which._tag === "All" && !flags.yes) {
      return yield* misused(`this drops every dead letter of ${which.job}, for good: add --yes to do it`);
    }
    const client = yield* openClient(yield* connectionTo(flags.url));
    if (which._tag === "One") {
      yield* client.ask({ method: "DELETE", path: which.path });
      return yield* Console.log(`dropped ${which.letter}`);
    }
    const { body } = yield* client.ask({ method: "DELETE", path: jobLettersPath(which.job) });
    yield* Console.log(`dropped ${(body as { readonly dropped: number }).dropped} dead letters of ${which.job}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Drop one dead letter, or all of a push job. The records are gone; the books keep the count.",
  ),
  Command.withShortDescription("Drop dead letters"),
  Command.withExamples([
    { command: "spillway dead-letters drop acme-http/812/3", description: "Drop one" },
    { command: "spillway dead-letters drop --job acme-http --yes", description: "Drop all of a job" },
  ]),
);
