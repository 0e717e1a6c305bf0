import { Console, Effect } from "effect";
import { Argument, Command } from "effect/cli";
import type { ReplayShown } from "../api/replay-reports.ts";
import { openClient } from "./client.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { listReplays } from "./replay.ts";
import { formatTable, grouped } from "./table.ts";

const list = Command.make(
  "list",
  { url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const found = yield* listReplays(client);
    if (flags.json) return yield* Console.log(JSON.stringify({ replays: found }));
    yield* Console.log(found.length === 0 ? "No replays since this node started." : formatReplays(found));
  }, Effect.scoped),
).pipe(
  Command.withDescription("List the replays of this node, the newest first"),
  Command.withExamples([{ command: "spillway replays list --json", description: "For scripts" }]),
);

const cancel = Command.make(
  "cancel",
  { id: Argument.String("id").pipe(Argument.withDescription("Name of the replay")), url: urlFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const { body } = yield* client.ask({ method: "DELETE", path: `/v1/replays/${encodeURIComponent(flags.id)}` });
    const { id, sequence, state } = body as ReplayShown;
    yield* Console.log(`replay ${id} is ${state}; pushed up to sequence ${sequence}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("Stop a replay; what was pushed stays where it is"),
  Command.withExamples([{ command: "spillway replays cancel 0badcafe", description: "Stop one" }]),
);

export const replays = Command.make("replays").pipe(
  Command.withDescription("Show and stop replays of the running node"),
  Command.withSubcommands([list, cancel]),
);

const formatReplays = (found: ReadonlyArray<ReplayShown>): string =>
  formatTable(
    ["replay", "job", "state", "from", "to", "done", "records", "refused", "last error"].map((title) => ({
      title,
      align: ["from", "to", "done", "records", "refused"].includes(title) ? "right" : "left",
    })),
    found.map(({ from, id, job, lastError, percent, records, recordsRefused, state, to }) => [
      id,
      job,
      state,
      String(from),
      String(to),
      `${percent} %`,
      grouped(records),
      grouped(recordsRefused),
      lastError ?? "",
    ]),
  );
