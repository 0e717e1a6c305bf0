import { Console, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { BufferReport } from "../../api/buffer-reports.ts";
import { bufferPath } from "../buffers/buffer-path.ts";
import { describeSkip, skipBuffer, skipTarget } from "../buffers/skip.ts";
import { type ApiClient, openClient } from "../client.ts";
import { failed, misused } from "../command-failure.ts";
import { connectionTo, urlFlag } from "../connection.ts";
import { grouped } from "../table.ts";
import { idArgument } from "./get.ts";
import { jobPath, type ShownJob } from "./shown-job.ts";

/** Times that a change of somebody else may come in between. */
const attemptsMax = 3;

/** Switches the job. False: it was so already, and nothing was changed. */
const switchTo = Effect.fnUntraced(function* (client: ApiClient, id: string, enabled: boolean) {
  const path = jobPath(id);
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const { body, etag } = yield* client.ask({ method: "GET", path });
    const { job } = body as ShownJob;
    if (job.enabled === enabled) return false;
    // Secrets go back as they came, redacted: the node keeps the stored ones.
    const answer = yield* client.ask({
      method: "PUT",
      path,
      json: { ...job, enabled },
      ...(etag === undefined ? {} : { headers: { "if-match": etag } }),
      expect: [412],
    });
    if (answer.status !== 412) return true;
  }
  return yield* failed(`somebody else keeps changing ${id}: try again`);
});

export const enable = Command.make(
  "enable",
  {
    id: idArgument,
    from: Flag.String("from").pipe(
      Flag.withDescription("Go on at a time such as 2026-11-23T07:00:00Z, or a sequence; what is older is given up"),
      Flag.optional,
    ),
    skip: Flag.Boolean("skip").pipe(
      Flag.withDescription("Give up everything that is pending; deliver what comes from now on"),
      Flag.withDefault(false),
    ),
    url: urlFlag,
  },
  Effect.fn(function* (flags) {
    if (flags.skip && Option.isSome(flags.from)) return yield* misused("--from or --skip, not both");
    const from = Option.isSome(flags.from) ? yield* skipTarget("--from", flags.from.value) : undefined;
    const to = flags.skip ? "now" : from;
    const client = yield* openClient(yield* connectionTo(flags.url));
    const { job } = (yield* client.ask({ method: "GET", path: jobPath(flags.id) })).body as ShownJob;
    if (job.enabled) {
      return to === undefined
        ? yield* Console.log(`${flags.id} is enabled already`)
        : yield* failed(`${flags.id} is enabled already: \`spillway buffers skip\` skips of a job that is`);
    }
    // Before it is enabled: otherwise what is to be skipped begins to be delivered.
    if (to === undefined) yield* Console.log(yield* sayPending(client, flags.id));
    else yield* Console.log(describeSkip(yield* skipBuffer(client, flags.id, to)));
    const switched = yield* switchTo(client, flags.id, true);
    yield* Console.log(switched ? `${flags.id} is enabled` : `${flags.id} is enabled already`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Enable a push job. What was pending when it was disabled is delivered first (the default), or given up in part " +
      "(--from) or in full (--skip), with a receipt.",
  ),
  Command.withShortDescription("Enable a push job"),
  Command.withExamples([
    { command: "spillway jobs enable acme-http", description: "Resume where it stopped" },
    { command: "spillway jobs enable acme-http --skip", description: "Start over at now" },
  ]),
);

/** What will happen to the backlog; only the node that owns the buffer can say how much that is. */
const sayPending = Effect.fnUntraced(function* (client: ApiClient, id: string) {
  const answer = yield* client.ask({ method: "GET", path: bufferPath(id), expect: [404] });
  if (answer.status === 404) return `${id}: what is pending is known to another node; it is delivered first`;
  const { backlogRecords, cursor } = answer.body as BufferReport;
  return backlogRecords === 0
    ? `${id}: nothing is pending`
    : `${id}: ${grouped(backlogRecords)} records are pending after sequence ${cursor}; they are delivered first ` +
        `(--skip gives them up)`;
});

export const disable = Command.make(
  "disable",
  { id: idArgument, url: urlFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const switched = yield* switchTo(client, flags.id, false);
    yield* Console.log(switched ? `${flags.id} is disabled` : `${flags.id} is disabled already`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("Disable a push job: new records are not stored for it, what is pending is kept"),
  Command.withExamples([{ command: "spillway jobs disable acme-http", description: "disable one job" }]),
);
