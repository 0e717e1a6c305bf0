import { Command } from "effect/cli";
import { list } from "./list.ts";
import { run } from "./run.ts";

export const drill = Command.make("drill").pipe(
  Command.withDescription(
    "Break something on purpose and see what holds: scripted overloads and faults on a cluster that is made for it, or " +
      "on a running one that was started as a drill target.",
  ),
  Command.withShortDescription("Break something on purpose and see what holds"),
  Command.withSubcommands([list, run]),
);
