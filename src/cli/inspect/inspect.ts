import { Console, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { Frame } from "../../observability/inspection/frame.ts";
import { misused } from "../command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { idArgument } from "../jobs/get.ts";
import { TransitionLines } from "./transition-lines.ts";

const statelyPort = 8_090;

export const inspect = Command.make(
  "inspect",
  {
    id: idArgument,
    url: urlFlag,
    json: jsonFlag,
    inspectStately: Flag.Boolean("inspect-stately").pipe(
      Flag.withDescription("Also open a local page that feeds Stately's inspector"),
      Flag.withDefault(false),
    ),
    statelyPort: Flag.Int("stately-port").pipe(
      Flag.withDescription(`Port of that page on 127.0.0.1 (default ${statelyPort}; 0 takes a free one)`),
      Flag.withDefault(statelyPort),
    ),
    statelyUrl: Flag.String("stately-url").pipe(
      Flag.withDescription("Where Stately's inspector is (default: the hosted one, loaded by your browser)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* (flags) {
    const connection = yield* connectionTo(flags.url);
    const inspectorUrl = Option.getOrUndefined(flags.statelyUrl);
    if (inspectorUrl !== undefined && !/^https?:\/\//.test(inspectorUrl)) {
      return yield* misused(`--stately-url must begin with http:// or https://, not "${inspectorUrl}"`);
    }
    const [{ openStatelyBridge }, { watchJob }] = yield* Effect.promise(() =>
      Promise.all([import("./stately-bridge.ts"), import("./watch-job.ts")]),
    );
    const bridge = flags.inspectStately ? yield* openStatelyBridge(flags.statelyPort, inspectorUrl) : undefined;
    if (bridge !== undefined) yield* Console.error(`Open ${bridge.url} in a browser: Stately's inspector is in it.`);
    const lines = new TransitionLines();
    return yield* watchJob(connection, flags.id, (text) => {
      const frame = JSON.parse(text) as Frame;
      bridge?.forward(frame, text);
      const shown = flags.json ? [text] : lines.of(frame);
      return shown.length === 0 ? Effect.void : Console.log(shown.join("\n"));
    });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Watch a push job's buffer: its last transitions, then each new one, until Ctrl-C. The buffer is not slowed down. " +
      "With --json every frame is printed as the node sends it. The page /inspect/JOB of the node draws the same.",
  ),
  Command.withShortDescription("Watch the state of a push job's buffer"),
  Command.withExamples([
    { command: "spillway inspect acme-logs", description: "Transitions as text" },
    { command: "spillway inspect acme-logs --json", description: "Events, microsteps, guards, actions, snapshots" },
    { command: "spillway inspect acme-logs --inspect-stately", description: "In Stately's inspector" },
  ]),
);
