import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { openClient } from "../client.ts";
import { failed } from "../command-failure.ts";
import { connectionTo, urlFlag } from "../connection.ts";
import { idArgument } from "./get.ts";
import { jobPath, type ShownJob } from "./shown-job.ts";

/** Times that a change of somebody else may come in between. */
const attemptsMax = 3;

const switching = (name: "enable" | "disable", enabled: boolean, description: string) =>
  Command.make(
    name,
    { id: idArgument, url: urlFlag },
    Effect.fn(function* (flags) {
      const client = yield* openClient(yield* connectionTo(flags.url));
      const path = jobPath(flags.id);
      for (let attempt = 1; attempt <= attemptsMax; attempt++) {
        const { body, etag } = yield* client.ask({ method: "GET", path });
        const { job } = body as ShownJob;
        if (job.enabled === enabled) return yield* Console.log(`${flags.id} is ${name}d already`);
        // Secrets go back as they came, redacted: the node keeps the stored ones.
        const answer = yield* client.ask({
          method: "PUT",
          path,
          json: { ...job, enabled },
          ...(etag === undefined ? {} : { headers: { "if-match": etag } }),
          expect: [412],
        });
        if (answer.status !== 412) return yield* Console.log(`${flags.id} is ${name}d`);
      }
      return yield* failed(`somebody else keeps changing ${flags.id}: try again`);
    }, Effect.scoped),
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([{ command: `spillway jobs ${name} acme-http`, description: `${name} one job` }]),
  );

export const enable = switching("enable", true, "Enable a push job");
export const disable = switching("disable", false, "Disable a push job: new records are not stored for it");
