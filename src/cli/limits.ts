import { Console, DateTime, Effect } from "effect";
import { Command } from "effect/cli";
import type { LimitReport } from "../api/reports.ts";
import { openClient } from "./client.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

interface LimitsBody {
  readonly limits: ReadonlyArray<LimitReport>;
}

export const limits = Command.make(
  "limits",
  { url: urlFlag, json: jsonFlag },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const body = (yield* client.ask({ method: "GET", path: "/v1/limits" })).body as LimitsBody;
    if (flags.json) return yield* Console.log(JSON.stringify(body));
    yield* Console.log(formatLimits(body));
    const never = body.limits.filter(({ exercised }) => exercised === null).length;
    if (never > 0)
      yield* Console.error(`warning: no drill has ever exercised ${never} of ${body.limits.length} limits`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Print every limit of the running node: its value and default, how much of it is in use, the most that was in use " +
      'since the start, and when a drill last exercised it. "-" is not measured.',
  ),
  Command.withShortDescription("Limits of the running node"),
  Command.withExamples([{ command: "spillway limits --json", description: "For scripts" }]),
);

const formatLimits = ({ limits: all }: LimitsBody): string =>
  formatTable(
    ["limit", "value", "default", "unit", "in use", "high water", "last exercised"].map((title) => ({
      title,
      align: ["value", "default", "in use", "high water"].includes(title) ? "right" : "left",
    })),
    all.map((limit) => [
      limit.name,
      grouped(limit.value),
      measured(limit.default),
      limit.unit,
      measured(limit.usage),
      measured(limit.highWater),
      exercised(limit),
    ]),
  );

const measured = (count: number | undefined): string => (count === undefined ? "-" : grouped(count));

const exercised = ({ exercised: mark }: LimitReport): string => {
  if (mark === undefined) return "not known now";
  return mark === null
    ? "! never exercised"
    : `${DateTime.formatIso(DateTime.makeUnsafe(mark.millis)).slice(0, 16)}Z by ${mark.drill}`;
};
