import { Command } from "effect/cli";
import { add } from "./add.ts";
import { list } from "./list.ts";
import { remove } from "./remove.ts";

export const kill = Command.make("kill").pipe(
  Command.withDescription(
    "Kill switches: stop a destination, a customer, a dataset or everything, without a rollout and without losing anything.",
  ),
  Command.withShortDescription("Stop something now, and let it go on"),
  Command.withExamples([
    { command: "spillway kill add customer c-17 --dry-run", description: "What would it hold?" },
    { command: "spillway kill list", description: "What is stopped now" },
  ]),
  Command.withSubcommands([list, add, remove]),
);
