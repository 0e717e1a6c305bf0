import { Console, Effect, Option, Redacted, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import type { DrillRun } from "../../drill/conclude.ts";
import type { Drill } from "../../drill/drill.ts";
import type { DrillOptions } from "../../drill/run-drill.ts";
import { type CommandFailure, failed, misused } from "../command-failure.ts";
import { connectionTo, jsonFlag } from "../connection.ts";
import { guardsOffOf } from "./guard-flags.ts";

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }));

const customersDefault = 20;
/** In a series, runs between the first and the last only have to show what is stopped. */
const betweenSecondsMax = 5;

export const run = Command.make(
  "run",
  {
    name: Argument.String("name").pipe(Argument.withDescription("Which drill: see spillway drill list")),
    guards: Flag.Literals("guards", ["on", "off", "each", "none"]).pipe(
      Flag.withDescription(
        "on (default): with every protection, and the bars must hold. off: a series of runs in which the drill's " +
          "protections are switched off one after the other, until none is left: which of them stops what. " +
          "each: each of them alone, the others on. none: one run without any of them",
      ),
      Flag.withDefault("on" as const),
    ),
    guard: Flag.String("guard").pipe(
      Flag.withDescription("NAME=off or NAME=on, over --guards; may be given more than once"),
      Flag.between(0, 20),
    ),
    customers: Flag.Int("customers").pipe(
      Flag.withDescription(`Customers with a push job (default ${customersDefault})`),
      Flag.withSchema(between(2, 10_000)),
      Flag.withDefault(customersDefault),
    ),
    target: Flag.String("target").pipe(
      Flag.withDescription(
        "Data address of a running node that was started with --drill (default: a cluster of its own); once for each " +
          "node that shall be broken, the one that leads the configuration among them",
      ),
      Flag.between(0, 100),
    ),
    mark: Flag.String("mark").pipe(
      Flag.withDescription(
        "Address of a running node, in drill mode or not: its `spillway limits` then tells which limits were exercised",
      ),
      Flag.optional,
    ),
    sinkHost: Flag.String("sink-host").pipe(
      Flag.withDescription("Address of this machine at which the target reaches the drill's destinations"),
      Flag.withDefault("127.0.0.1"),
    ),
    secondsPerPhase: Flag.Int("seconds-per-phase").pipe(
      Flag.withDescription("Length of every phase (default: as the drill says)"),
      Flag.withSchema(between(1, 3_600)),
      Flag.optional,
    ),
    report: Flag.String("report").pipe(
      Flag.withDescription("Write report.html and report.json into this directory"),
      Flag.optional,
    ),
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const modules = yield* Effect.promise(() => loadDrills());
    const drill = modules.drillNamed(flags.name);
    if (drill === undefined) {
      const known = modules.drills.map(({ name }) => name).join(", ");
      return yield* misused(`there is no drill "${flags.name}"; there are ${known}`);
    }
    const shown = drill.guards.map(({ name }) => name);
    if (flags.guards !== "on" && shown.length === 0) {
      return yield* misused(`${drill.name} is about no protection that could be switched off: leave out --guards`);
    }
    const guardsOff = guardsOffOf(flags.guards === "none" ? "off" : "on", flags.guard, shown);
    if (typeof guardsOff === "string") return yield* misused(guardsOff);
    const isSeries = flags.guards === "each" || flags.guards === "off";
    if (isSeries && flags.guard.length > 0) return yield* misused(`give --guards ${flags.guards} or --guard, not both`);
    if (flags.target.length > 0 && drill.embeddedOnly !== undefined) {
      return yield* misused(`${drill.name} cannot run against a target: ${drill.embeddedOnly}`);
    }
    const targets = yield* Effect.forEach(flags.target, (url) => addressOf(url, "--target"));
    const markAt = yield* Effect.forEach(Option.toArray(flags.mark), (url) => addressOf(url, "--mark"));
    const options: DrillOptions = {
      customers: flags.customers,
      targets: targets.map(({ url }) => url),
      token: targets[0]?.token,
      markAt: markAt[0],
      guardsOff,
      secondsPerPhase: Option.getOrUndefined(flags.secondsPerPhase),
      sinkHost: flags.sinkHost,
      say: (line) => Console.error(line),
    };
    const series = isSeries ? modules.seriesOf(drill, flags.guards === "off") : [guardsOff];
    const runs: Array<DrillRun> = [];
    for (const [at, off] of series.entries()) {
      if (isSeries) yield* Console.error(`run ${at + 1} of ${series.length}: ${withoutText(off)}`);
      const isBetween = at > 0 && at < series.length - 1;
      const bounds = isBetween ? { secondsPerPhaseMax: betweenSecondsMax } : {};
      runs.push(yield* modules.runDrill(drill, { ...options, ...bounds, guardsOff: off }).pipe(asFailure));
      // After each of them: should a later one not be carried out, those before are not lost.
      if (Option.isNone(flags.report)) continue;
      const file = yield* modules.writeReport(flags.report.value, drill, runs).pipe(asFailure);
      yield* Console.error(`report: ${file}`);
    }
    yield* Console.error(modules.summaryOf(drill, runs));
    if (flags.json) yield* Console.log(JSON.stringify(modules.lastLineOf(runs)));
    // Without a guard something is meant to break: that shows what it is good for.
    if (runs.some(({ bars, figures }) => figures.guardsOff.length === 0 && bars.some(({ holds }) => !holds))) {
      return yield* failed("");
    }
  }),
).pipe(
  Command.withDescription(
    "Run a drill and judge it. Progress and the verdict go to stderr; with --json, the last line of stdout is the " +
      "figures. Exit code 1 when a bar is missed with every guard on, or the drill could not be carried out; 2 when it " +
      "was asked wrongly. Ctrl-C ends everything that it started.",
  ),
  Command.withShortDescription("Run a drill"),
  Command.withExamples([
    { command: "spillway drill run slow-destinations --report /tmp/drill", description: "On a cluster of its own" },
    {
      command: "spillway drill run nov14 --guards off --report /tmp/drill",
      description: "Which protection stops which step? Some four minutes",
    },
    {
      command: "spillway drill run buffer-wave --mark http://127.0.0.1:8081",
      description: "And note at a running node which limits were exercised",
    },
    {
      command: "spillway drill run hot-customer --target http://127.0.0.1:8080",
      description: "On a node that runs with --drill",
    },
  ]),
);

/** Loaded here and not before, so that the small commands start fast. */
const loadDrills = async () => {
  const [{ drillNamed, drills }, { runDrill }, guardSeries, { writeReport }, { lastLineOf, summaryOf }] =
    await Promise.all([
      import("../../drill/catalogue.ts"),
      import("../../drill/run-drill.ts"),
      import("../../drill/guard-series.ts"),
      import("../../drill/report/write-report.ts"),
      import("../../drill/report/summary.ts"),
    ]);
  const seriesOf = (drill: Drill, isPeeled: boolean) =>
    isPeeled ? guardSeries.peeledSeriesOf(drill) : guardSeries.seriesOf(drill);
  return { drillNamed, drills, runDrill, seriesOf, writeReport, lastLineOf, summaryOf };
};

/** Of a running node, with the token that goes with it. */
const addressOf = (written: string, flag: string) =>
  connectionTo(written).pipe(
    Effect.map(({ token, url }) => ({ url, token: token === undefined ? undefined : Redacted.value(token) })),
    Effect.mapError(({ message }) => misused(message.replace("--url", flag))),
  );

const withoutText = (off: ReadonlyArray<string>): string =>
  off.length === 0 ? "with every protection" : `without ${off.join(", ")}`;

const asFailure = <A, R>(
  work: Effect.Effect<A, { readonly message: string }, R>,
): Effect.Effect<A, CommandFailure, R> => Effect.mapError(work, ({ message }) => failed(message));
