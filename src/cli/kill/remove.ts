import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { nameOfSwitch, switchIdOf } from "../../domain/kill-switch.ts";
import { jsonFlag } from "../connection.ts";
import { aboutOf, kindArgument, lineFlags, notApplied, openLine, targetArgument } from "./switch-line.ts";

export const remove = Command.make(
  "remove",
  { kind: kindArgument, target: targetArgument, ...lineFlags, json: jsonFlag },
  Effect.fn(function* (flags) {
    const about = yield* aboutOf(flags.kind, flags.target);
    const line = yield* openLine(flags);
    const removed = yield* line.remove(switchIdOf(about));
    yield* Console.log(
      flags.json ? JSON.stringify(removed) : `${nameOfSwitch(removed.switch)} goes on, on every node within seconds`,
    );
    if (removed.applied === false) yield* Console.error(`warning: ${notApplied}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("Take a kill switch away: what waited is delivered, what was refused is taken again."),
  Command.withShortDescription("Let something go on"),
  Command.withExamples([{ command: "spillway kill remove customer c-17", description: "Let a customer go on" }]),
);
