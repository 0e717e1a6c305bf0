import { Command } from "effect/cli";
import { list } from "./list.ts";
import { run } from "./run.ts";

export const drill = Command.make("drill").pipe(
  Command.withDescription(
    "Break something on purpose and see what holds: scripted overloads and faults on a cluster that is made for it, or " +
      "on a running one that was started as a drill target.",
  ),
  Command.withShortDescription("Break something on purpose and see what holds"),
  Command.withExamples([
    { command: "spillway drill list", description: "What there is, and how long it takes" },
    { command: "spillway drill run nov14 --report out", description: "The incident that Spillway was made for" },
  ]),
  Command.withSubcommands([list, run]),
);
