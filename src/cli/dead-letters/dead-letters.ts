import { Command } from "effect/cli";
import { drop } from "./drop.ts";
import { list } from "./list.ts";
import { replay } from "./replay.ts";
import { show } from "./show.ts";

export const deadLetters = Command.make("dead-letters").pipe(
  Command.withDescription("Records that a destination refused: look at them, push them again, or drop them"),
  Command.withSubcommands([list, show, replay, drop]),
);
