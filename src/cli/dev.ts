import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { failed } from "./command-failure.ts";

export const configFlag = Flag.String("config").pipe(Flag.withDescription("Settings over the defaults, YAML or JSON"));

export const listenFlag = Flag.String("listen").pipe(
  Flag.withDescription("host:port of the HTTP API (default 127.0.0.1:8080); not loopback needs SPILLWAY_TOKEN"),
  Flag.optional,
);

export const controlListenFlag = Flag.String("control-listen").pipe(
  Flag.withDescription("host:port of the control address, everything but ingest (default: the port after --listen)"),
  Flag.optional,
);

export const jobsFlag = Flag.String("jobs").pipe(
  Flag.withDescription("Push jobs to apply at the start, YAML or JSON"),
  Flag.optional,
);

export const drillFlag = Flag.Boolean("drill").pipe(
  Flag.withDescription("Let drills arm faults and switch guards off on this node (also SPILLWAY_DRILL=true)"),
  Flag.withDefault(false),
);

export const dataFlag = Flag.String("data").pipe(
  Flag.withDescription("Where the embedded nats-server keeps its data (default .spillway)"),
  Flag.optional,
);

export const dev = Command.make(
  "dev",
  {
    data: dataFlag,
    listen: listenFlag,
    controlListen: controlListenFlag,
    jobs: jobsFlag,
    config: configFlag.pipe(Flag.optional),
    drill: drillFlag,
  },
  Effect.fn(function* (flags) {
    yield* startNode({
      mode: "dev",
      configFile: Option.getOrUndefined(flags.config),
      dataDirectory: Option.getOrUndefined(flags.data),
      listen: Option.getOrUndefined(flags.listen),
      controlListen: Option.getOrUndefined(flags.controlListen),
      jobsFile: Option.getOrUndefined(flags.jobs),
      drill: flags.drill ? true : undefined,
    });
  }),
).pipe(
  Command.withDescription("Run a whole node with its own nats-server, for development. Ctrl-C stops it cleanly."),
  Command.withShortDescription("Run a node with its own nats-server"),
  Command.withExamples([
    { command: "spillway dev --jobs jobs.yaml", description: "Start with the push jobs of a file" },
    { command: "spillway dev --data /var/tmp/spillway --listen 127.0.0.1:9000", description: "Choose where it lives" },
  ]),
);

/** The node's modules are loaded here and not before, so that the small commands start fast. */
export const startNode = Effect.fnUntraced(function* (options: import("../node/run.ts").NodeOptions) {
  const { runNode } = yield* Effect.promise(() => import("../node/run.ts"));
  yield* Effect.mapError(runNode(options), (error) => failed(error.message));
});
