import { Clock, Console, DateTime, Effect } from "effect";
import { Command } from "effect/cli";
import { type KillSwitch, nameOfSwitch } from "../../domain/kill-switch.ts";
import { jsonFlag } from "../connection.ts";
import { formatTable, shortDuration } from "../table.ts";
import { lineFlags, openLine } from "./switch-line.ts";

export const list = Command.make(
  "list",
  { ...lineFlags, json: jsonFlag },
  Effect.fn(function* (flags) {
    const switches = yield* (yield* openLine(flags)).list;
    if (flags.json) return yield* Console.log(JSON.stringify({ switches }));
    if (switches.length === 0) return yield* Console.log("No kill switch is on.");
    const nowMillis = yield* Clock.currentTimeMillis;
    yield* Console.log(formatSwitches(switches, nowMillis));
    yield* Console.error(`warning: ${switches.length} kill switch${switches.length === 1 ? " is" : "es are"} on`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("List the kill switches that are on, the oldest first."),
  Command.withShortDescription("List the kill switches that are on"),
  Command.withExamples([{ command: "spillway kill list --json", description: "For scripts" }]),
);

const formatSwitches = (switches: ReadonlyArray<KillSwitch>, nowMillis: number): string =>
  formatTable(
    ["switch", "stops", "since", "ends in", "who", "why"].map((title) => ({ title, align: "left" })),
    switches.map((each) => [
      nameOfSwitch(each),
      each.stops,
      DateTime.formatIso(DateTime.makeUnsafe(each.sinceMillis)),
      each.untilMillis === undefined ? "-" : shortDuration(Math.max(0, each.untilMillis - nowMillis)),
      each.who,
      each.why === "" ? "-" : each.why,
    ]),
  );
