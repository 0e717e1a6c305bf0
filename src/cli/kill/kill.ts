import { Command } from "effect/cli";
import { add } from "./add.ts";
import { list } from "./list.ts";
import { remove } from "./remove.ts";

export const kill = Command.make("kill").pipe(
  Command.withDescription(
    "Kill switches: stop a destination, a customer, a dataset or everything, without a rollout and without losing anything.",
  ),
  Command.withShortDescription("Stop something now, and let it go on"),
  Command.withSubcommands([list, add, remove]),
);
