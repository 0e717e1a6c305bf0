import { Console, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { ReplayShown } from "../api/replay-reports.ts";
import { type ApiClient, openClient } from "./client.ts";
import { failed, misused } from "./command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { idArgument } from "./jobs/get.ts";
import { jobPath } from "./jobs/shown-job.ts";
import { grouped } from "./table.ts";

/** How often a running replay is looked at. */
const lookMillis = 500;

export const replay = Command.make(
  "replay",
  {
    id: idArgument,
    from: Flag.String("from").pipe(
      Flag.withDescription("Where to begin: a sequence of the log, or a time such as 2026-11-23T07:00:00Z"),
    ),
    to: Flag.String("to").pipe(
      Flag.withDescription("Where to end (default: what the live delivery has settled)"),
      Flag.optional,
    ),
    as: Flag.String("as").pipe(
      Flag.withDescription("Name of the replay: begun again under the same name, its batches have the same ids"),
      Flag.optional,
    ),
    wait: Flag.Boolean("wait").pipe(
      Flag.withDescription("Stay until it has ended; exit code 1 unless it is done"),
      Flag.withDefault(false),
    ),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const from = yield* boundOf("--from", flags.from);
    const to = Option.isSome(flags.to) ? yield* boundOf("--to", flags.to.value) : undefined;
    const client = yield* openClient(yield* connectionTo(flags.url));
    const { body } = yield* client.ask({
      method: "POST",
      path: `${jobPath(flags.id)}/replays`,
      json: { from, ...(to === undefined ? {} : { to }), ...(Option.isSome(flags.as) ? { id: flags.as.value } : {}) },
    });
    const begun = body as ReplayShown;
    for (const warning of begun.warnings) yield* Console.error(`warning: ${warning}`);
    const last = flags.wait ? yield* awaitEnd(client, begun) : begun;
    yield* Console.log(flags.json ? JSON.stringify(last) : describeReplay(last));
    if (flags.wait && last.state !== "done") return yield* failed(`replay ${last.id} ${last.state}: ${last.lastError}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Push a range of the log to a push job's destination again, beside the live delivery: its batches say that they are " +
      "a replay; cursor and books of the job do not change.",
  ),
  Command.withShortDescription("Push a range of the log again"),
  Command.withExamples([
    {
      command: "spillway replay acme-http --from 2026-11-23T07:00:00Z --to 2026-11-23T08:00:00Z --wait",
      description: "Push an hour again",
    },
    { command: "spillway replay acme-http --from 81200 --as fixed", description: "From a sequence on, under a name" },
  ]),
);

const boundOf = (flag: string, text: string) => {
  if (/^\d{1,15}$/.test(text)) return Effect.succeed(Number(text));
  return /^\d{4}-.+T.+(Z|[+-]\d{2}:?\d{2})$/.test(text)
    ? Effect.succeed(text)
    : Effect.fail(misused(`${flag} must be a sequence or a time such as 2026-11-23T07:00:00Z, not "${text}"`));
};

const awaitEnd = Effect.fnUntraced(function* (client: ApiClient, begun: ReplayShown) {
  while (true) {
    const found = (yield* listReplays(client)).find(({ id }) => id === begun.id);
    if (found === undefined) return yield* failed(`replay ${begun.id} is gone: the node was restarted`);
    if (found.state !== "running") return found;
    yield* Effect.sleep(lookMillis);
  }
});

export const listReplays = (client: ApiClient) =>
  Effect.map(
    client.ask({ method: "GET", path: "/v1/replays" }),
    ({ body }) => (body as { readonly replays: ReadonlyArray<ReplayShown> }).replays,
  );

const describeReplay = ({ from, id, job, percent, records, recordsRefused, state, to }: ReplayShown): string =>
  `replay ${id} of ${job}, ${from} to ${to}: ${state}, ` +
  `${percent} %, ${grouped(records)} records delivered, ${grouped(recordsRefused)} refused`;
