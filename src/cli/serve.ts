import { Effect, Option } from "effect";
import { Command } from "effect/cli";
import { configFlag, controlListenFlag, dataFlag, drillFlag, jobsFlag, listenFlag, startNode } from "./dev.ts";

export const serve = Command.make(
  "serve",
  {
    config: configFlag,
    data: dataFlag,
    listen: listenFlag,
    controlListen: controlListenFlag,
    jobs: jobsFlag,
    drill: drillFlag,
  },
  Effect.fn(function* (flags) {
    yield* startNode({
      mode: "serve",
      configFile: flags.config,
      dataDirectory: Option.getOrUndefined(flags.data),
      listen: Option.getOrUndefined(flags.listen),
      controlListen: Option.getOrUndefined(flags.controlListen),
      jobsFile: Option.getOrUndefined(flags.jobs),
      drill: flags.drill ? true : undefined,
    });
  }),
).pipe(
  Command.withDescription("Run a node as its configuration file says. SIGTERM drains it within a bounded time."),
  Command.withShortDescription("Run a node from a configuration file"),
  Command.withExamples([
    { command: "spillway serve --config /etc/spillway.json", description: "Run a production node" },
  ]),
);
