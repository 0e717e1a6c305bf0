import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import type { CommandReport } from "../../domain/buffer-command.ts";
import type { ApiClient } from "../client.ts";
import { openClient } from "../client.ts";
import { misused } from "../command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { grouped } from "../table.ts";
import { bufferPath, jobArgument } from "./buffer-path.ts";

export const skip = Command.make(
  "skip",
  {
    job: jobArgument,
    to: Flag.String("to").pipe(
      Flag.withDescription("Where to go on: now, a time such as 2026-11-23T07:00:00Z, or a sequence of the log"),
    ),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const to = yield* skipTarget("--to", flags.to);
    const client = yield* openClient(yield* connectionTo(flags.url));
    const report = yield* skipBuffer(client, flags.job, to);
    yield* Console.log(flags.json ? JSON.stringify(report) : describeSkip(report));
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Give up the oldest part of a backlog: it is not delivered, the books call it shed, and a receipt says what it was.",
  ),
  Command.withShortDescription("Give up the oldest part of a backlog"),
  Command.withExamples([
    { command: "spillway buffers skip acme-http --to now", description: "Only what comes from now on" },
    { command: "spillway buffers skip acme-http --to 2026-11-23T07:00:00Z", description: "From a time on" },
  ]),
);

export const skipTarget = (flag: string, text: string) => {
  if (text === "now") return Effect.succeed(text);
  if (/^[1-9]\d{0,14}$/.test(text)) return Effect.succeed(Number(text));
  return /^\d{4}-.+T.+(Z|[+-]\d{2}:?\d{2})$/.test(text)
    ? Effect.succeed(text)
    : Effect.fail(misused(`${flag} must be now, a time such as 2026-11-23T07:00:00Z, or a sequence, not "${text}"`));
};

export const skipBuffer = (client: ApiClient, job: string, to: string | number) =>
  Effect.map(
    client.ask({ method: "POST", path: `${bufferPath(job)}/skip`, json: { to } }),
    ({ body }) => body as CommandReport,
  );

export const describeSkip = ({ backlogRecords, job, skipped }: CommandReport): string =>
  skipped === null
    ? `${job}: nothing to skip; ${grouped(backlogRecords)} records pending`
    : `${job}: ${grouped(skipped.records)} records are given up (sequence ${skipped.firstSequence} to ` +
      `${skipped.lastSequence}); ${grouped(backlogRecords)} records pending`;
