import { Console, Effect } from "effect";
import { Argument, Command } from "effect/cli";
import type { LetterReplay, LettersReplay } from "../../api/dead-letter-reports.ts";
import { type ApiClient, openClient } from "../client.ts";
import { failed } from "../command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { jobFlag, jobLettersPath, letterArgument, oneOrAll } from "./letter-id.ts";

/** One request pushes for some 15 s, and its last push may take a minute more. */
const requestMillisMax = 120_000;

export const replay = Command.make(
  "replay",
  { letter: letterArgument.pipe(Argument.optional), job: jobFlag, url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const which = yield* oneOrAll(flags.letter, flags.job);
    const client = yield* openClient(yield* connectionTo(flags.url));
    const done =
      which._tag === "One" ? yield* replayOne(client, which.path) : yield* replayAll(client, which.job, flags.json);
    const kept = done.replays.filter(({ result }) => result === "kept");
    if (flags.json) yield* Console.log(JSON.stringify({ ...done, kept: kept.length }));
    else yield* Console.log(`delivered ${done.replays.length - kept.length}, kept ${kept.length}`);
    if (done.stopped !== undefined) return yield* failed(`the destination takes nothing now: ${done.stopped}`);
    if (kept.length > 0) return yield* failed(`${nameOf(kept[0]!)} was refused again: ${kept[0]!.detail}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Push dead letters again, to the destination that the push job has now, each as a batch that says that it is a " +
      "replay. What is delivered is removed; what is refused again stays.",
  ),
  Command.withShortDescription("Push dead letters again"),
  Command.withExamples([
    { command: "spillway dead-letters replay acme-http/812/3", description: "Push one" },
    { command: "spillway dead-letters replay --job acme-http", description: "Push all of a job, oldest first" },
  ]),
);

const nameOf = ({ index, job, sequence }: LetterReplay): string => `${job}/${sequence}/${index}`;

const replayOne = Effect.fnUntraced(function* (client: ApiClient, path: string) {
  const { body } = yield* client.ask({ method: "POST", path: `${path}/replay`, millisMax: requestMillisMax });
  return { replays: [body as LetterReplay], stopped: undefined };
});

const replayAll = Effect.fnUntraced(function* (client: ApiClient, job: string, quiet: boolean) {
  const replays: Array<LetterReplay> = [];
  let after: number | undefined = 0;
  // Ends because every page begins after the one before; a job's letters are limited.
  while (after !== undefined) {
    const path: string = `${jobLettersPath(job)}/replay?after=${after}`;
    const page = (yield* client.ask({ method: "POST", path, millisMax: requestMillisMax })).body as LettersReplay;
    replays.push(...page.replays);
    for (const each of quiet ? [] : page.replays) {
      if (each.result === "kept") yield* Console.error(`kept ${nameOf(each)}: ${each.detail}`);
    }
    if (page.stopped !== undefined) return { replays, stopped: page.stopped };
    after = page.next;
  }
  return { replays, stopped: undefined };
});
