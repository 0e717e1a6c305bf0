import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { openClient } from "./client.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { packageVersion } from "./package-version.ts";

export const version = Command.make(
  "version",
  {
    json: jsonFlag,
    url: urlFlag,
    remote: Flag.Boolean("remote").pipe(
      Flag.withDescription("Ask the running node instead of this command"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* (flags) {
    const versions = flags.remote ? yield* askNode(flags.url) : { spillway: packageVersion(), node: process.version };
    yield* Console.log(
      flags.json
        ? JSON.stringify(versions)
        : Object.entries(versions)
            .map(([name, text]) => `${name} ${text}`)
            .join("\n"),
    );
  }, Effect.scoped),
).pipe(
  Command.withDescription("Print versions: of this command, or with --remote of the running node"),
  Command.withExamples([{ command: "spillway version --json", description: "For scripts" }]),
);

const askNode = Effect.fnUntraced(function* (url: string) {
  const client = yield* openClient(yield* connectionTo(url));
  const { body } = yield* client.ask({ method: "GET", path: "/v1/version" });
  return body as Readonly<Record<string, string>>;
});
