import { Command } from "effect/cli";
import { remove } from "./delete.ts";
import { disable, enable } from "./enable.ts";
import { get } from "./get.ts";
import { history } from "./history.ts";
import { list } from "./list.ts";
import { put } from "./put.ts";
import { restore } from "./restore.ts";

export const jobs = Command.make("jobs").pipe(
  Command.withDescription("Show and change push jobs of the running node"),
  Command.withSubcommands([list, get, put, remove, enable, disable, history, restore]),
);
