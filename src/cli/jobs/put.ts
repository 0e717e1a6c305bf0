import { Console, Effect } from "effect";
import { Argument, Command } from "effect/cli";
import { describeAnswer, openClient } from "../client.ts";
import { failed } from "../command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { jobPath, type WrittenJob } from "./shown-job.ts";

export const put = Command.make(
  "put",
  {
    file: Argument.String("file").pipe(Argument.withDescription("YAML or JSON with one push job or many; - is stdin")),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const connection = yield* connectionTo(flags.url);
    const client = yield* openClient(connection);
    // The YAML parser is loaded by the one command that needs it.
    const { readJobs } = yield* Effect.promise(() => import("./read-jobs.ts"));
    const inputs = yield* readJobs(flags.file);
    const stored: Array<WrittenJob> = [];
    let refused = 0;
    for (const input of inputs) {
      const answer = yield* client.ask({
        method: "PUT",
        path: jobPath(input.id),
        json: input,
        expect: [400, 409, 413],
      });
      if (answer.status >= 300) {
        refused += 1;
        yield* Console.error(`${input.id}: ${describeAnswer(answer, connection)}`);
        continue;
      }
      const written = answer.body as WrittenJob;
      stored.push(written);
      if (!flags.json) yield* Console.log(`${written.change} ${input.id} at revision ${written.revision}`);
    }
    if (flags.json) yield* Console.log(JSON.stringify({ jobs: stored, refused }));
    if (refused > 0) return yield* failed(`${refused} of ${inputs.length} push jobs were not stored`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Create or replace push jobs from a file: one job, a list of jobs, or {jobs: [...]}. " +
      "Relative paths of file destinations are relative to the file; ${NAME} in a destination is taken from the environment.",
  ),
  Command.withShortDescription("Create or replace push jobs from a file"),
  Command.withExamples([
    { command: "spillway jobs put jobs.yaml", description: "Store every job of a file" },
    { command: "spillway jobs get a | sed s/30/60/ | spillway jobs put -", description: "Edit in a pipe" },
  ]),
);
