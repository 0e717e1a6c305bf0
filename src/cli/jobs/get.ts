import { Console, Effect } from "effect";
import { Argument, Command } from "effect/cli";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { jobPath, type ShownJob } from "./shown-job.ts";

export const idArgument = Argument.String("id").pipe(Argument.withDescription("Id of the push job"));

export const get = Command.make(
  "get",
  { id: idArgument, url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const shown = (yield* client.ask({ method: "GET", path: jobPath(flags.id) })).body as ShownJob;
    if (flags.json) return yield* Console.log(JSON.stringify(shown));
    const { stringify } = yield* Effect.promise(() => import("yaml"));
    yield* Console.log(`# revision ${shown.revision}\n${stringify(shown.job).trimEnd()}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("Print one push job as YAML, secrets redacted; `jobs put` takes it back"),
  Command.withShortDescription("Print one push job"),
  Command.withExamples([
    { command: "spillway jobs get acme-http > job.yaml", description: "Save a job in order to edit it" },
  ]),
);
