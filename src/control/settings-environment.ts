import { Config, Effect, Option, Result } from "effect";
import { problemText } from "./problem.ts";
import { WrittenSettings } from "./settings-schema.ts";
import { strictDecode } from "./strict-decode.ts";

/** Settings from the environment. The tokens are not among them: they never leave their wrapping. */
export interface EnvironmentSettings {
  readonly written: WrittenSettings;
  readonly problems: ReadonlyArray<string>;
}

const optional = <A>(config: Config.Config<A>) => Config.option(config).pipe(Config.map(Option.getOrUndefined));

const variables = Config.unwrap({
  listen: Config.String("SPILLWAY_LISTEN").pipe(optional),
  controlListen: Config.String("SPILLWAY_CONTROL_LISTEN").pipe(optional),
  natsServers: Config.String("SPILLWAY_NATS_SERVERS").pipe(optional),
  dataDirectory: Config.String("SPILLWAY_DATA_DIRECTORY").pipe(optional),
  partitions: Config.Int("SPILLWAY_PARTITIONS").pipe(optional),
  nodeName: Config.String("SPILLWAY_NODE_NAME").pipe(optional),
  drill: Config.Boolean("SPILLWAY_DRILL").pipe(optional),
});

/**
 * `SPILLWAY_LISTEN`, `…_CONTROL_LISTEN`, `…_NATS_SERVERS`, `…_DATA_DIRECTORY`, `…_PARTITIONS`, `…_NODE_NAME` and
 * `…_DRILL`.
 */
export const environmentSettings: Effect.Effect<EnvironmentSettings> = Effect.gen(function* () {
  const { natsServers, ...plain } = yield* variables;
  const input = {
    ...Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined)),
    ...(natsServers === undefined ? {} : { nats: { servers: natsServers } }),
  };
  const decoded = strictDecode(WrittenSettings, input, ([root]) => root !== "nats");
  return Result.isSuccess(decoded)
    ? { written: decoded.success, problems: [] }
    : { written: {}, problems: decoded.failure.map((problem) => `environment SPILLWAY_*: ${problemText(problem)}`) };
}).pipe(
  Effect.catch(({ message }) => Effect.succeed({ written: {}, problems: [`environment SPILLWAY_*: ${message}`] })),
);
