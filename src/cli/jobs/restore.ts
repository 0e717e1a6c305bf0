import { Console, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { idArgument } from "./get.ts";
import { jobPath, type ShownJob } from "./shown-job.ts";

export const restore = Command.make(
  "restore",
  {
    id: idArgument,
    to: Flag.Int("to").pipe(
      Flag.withDescription("Go back to the settings of this revision (default: the last before the job was deleted)"),
      Flag.optional,
    ),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const query = Option.match(flags.to, { onNone: () => "", onSome: (revision) => `?revision=${revision}` });
    const answer = yield* client.ask({ method: "POST", path: `${jobPath(flags.id)}/restore${query}` });
    const { change, job, revision } = answer.body as ShownJob & { readonly change: string };
    if (flags.json) return yield* Console.log(JSON.stringify(answer.body));
    const state = job.enabled ? "enabled" : "disabled";
    yield* Console.log(
      change === "unchanged"
        ? `${flags.id} has these settings already (revision ${revision}, ${state})`
        : `${flags.id} is back, ${state}, as revision ${revision}`,
    );
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Bring a deleted push job back with the settings that it had last, secrets included; or any job back to an earlier " +
      "revision (`spillway jobs history` lists them). Within the removal grace no record is lost.",
  ),
  Command.withShortDescription("Bring back a deleted push job, or an earlier revision"),
  Command.withExamples([
    { command: "spillway jobs restore acme-http", description: "Undo a deletion" },
    { command: "spillway jobs restore acme-http --to 41", description: "Go back to an earlier revision" },
  ]),
);
