import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { jsonFlag } from "../connection.ts";
import { formatTable } from "../table.ts";

export const list = Command.make(
  "list",
  { json: jsonFlag },
  Effect.fn(function* (flags) {
    const { drills } = yield* Effect.promise(() => import("../../drill/catalogue.ts"));
    if (flags.json) {
      const told = drills.map(({ bars, embeddedOnly, exercises, guards, name, phases, summary }) => ({
        name,
        summary,
        phases,
        guards,
        exercises: exercises.map(({ limit, seen }) => ({ limit, seen })),
        bars,
        ...(embeddedOnly === undefined ? {} : { embeddedOnly }),
      }));
      return yield* Console.log(JSON.stringify({ drills: told }));
    }
    const columns = ["drill", "seconds", "limits", "what it does"].map((title) => ({
      title,
      align: title === "seconds" ? ("right" as const) : ("left" as const),
    }));
    const rows = drills.map(({ exercises, name, phases, summary }) => [
      name,
      String(phases.reduce((sum, { seconds }) => sum + seconds, 0)),
      exercises.map(({ limit }) => limit).join(", ") || "-",
      summary,
    ]);
    yield* Console.log(formatTable(columns, rows));
  }),
).pipe(
  Command.withDescription(
    "List the drills: what each does, for how long without its start and its end, and which limits it drives the system " +
      "into.",
  ),
  Command.withShortDescription("List the drills"),
  Command.withExamples([{ command: "spillway drill list --json", description: "With phases, bars and guards" }]),
);
