import { Command } from "effect/cli";
import { list } from "./list.ts";
import { quarantine, resume } from "./switch.ts";
import { show } from "./show.ts";
import { skip } from "./skip.ts";

export const buffers = Command.make("buffers").pipe(
  Command.withDescription("What becomes of each push job's records on the running node; resume, isolate or skip"),
  Command.withSubcommands([list, show, resume, quarantine, skip]),
);
