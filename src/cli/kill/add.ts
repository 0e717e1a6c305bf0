import { Console, DateTime, Effect, Option } from "effect";
import { Command, Flag, Prompt } from "effect/cli";
import type { SwitchAnswer, SwitchInput } from "../../api/switch-reports.ts";
import { nameOfSwitch, switchStops, targetProblem } from "../../domain/kill-switch.ts";
import type { SwitchEffect } from "../../domain/switch-effect.ts";
import { failed, misused } from "../command-failure.ts";
import { jsonFlag } from "../connection.ts";
import { grouped } from "../table.ts";
import { aboutOf, describeStop, kindArgument, lineFlags, notApplied, openLine, targetArgument } from "./switch-line.ts";

export const add = Command.make(
  "add",
  {
    kind: kindArgument,
    target: targetArgument,
    stop: Flag.Literals("stop", switchStops).pipe(
      Flag.withDescription("delivery: records wait; intake: they are refused at the door (503); both"),
      Flag.withDefault("delivery" as const),
    ),
    for: Flag.String("for").pipe(
      Flag.withDescription("It ends by itself after so long, such as 30m, 2h or 1d (default: when it is removed)"),
      Flag.optional,
    ),
    dryRun: flag("dry-run", "Only show what it would hold"),
    yes: flag("yes", "Do not ask; required where nobody can be asked"),
    force: flag("force", "Also when it stops no push job that is known"),
    replace: flag("replace", "Replace the one of the same target that is on"),
    ...lineFlags,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const input = yield* inputOf(flags);
    const mayAsk = process.stdin.isTTY && process.stderr.isTTY;
    if (!flags.dryRun && !flags.yes && !mayAsk) {
      return yield* misused("nobody can be asked here: look with --dry-run, then repeat with --yes");
    }
    if (Option.isSome(flags.nats)) {
      if (flags.dryRun) return yield* misused("--dry-run needs a node: only nodes know what a switch would hold");
      if (!flags.force) {
        return yield* misused("without a node nothing checks the spelling: add --force when you are sure of it");
      }
    }
    const line = yield* openLine(flags);
    if (flags.dryRun && line.effect !== undefined) return yield* show(yield* line.effect(input), flags.json);
    if (!flags.yes) {
      if (line.effect !== undefined) yield* Console.error(describeEffect(yield* line.effect(input)));
      const message = `Stop ${nameOfSwitch({ kind: input.kind, target: input.target ?? "" })} now?`;
      const sure = yield* Prompt.Confirm({ message }).pipe(Effect.orElseSucceed(() => false));
      if (!sure) return yield* failed("nothing was changed");
    }
    const added = yield* line.add(input);
    if ("effect" in added) return yield* show(added, flags.json);
    const unknown = "what it holds is not known without a node";
    yield* Console.log(flags.json ? JSON.stringify({ switch: added }) : `${describeStop(added)}; ${unknown}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Stop a destination, a customer, a dataset or everything, on every node within two seconds, until it is removed or " +
      "its time is over. Nothing is lost as long as the log keeps it: what is stored waits, what is refused stays with " +
      "the producer. What it will hold is shown first.",
  ),
  Command.withShortDescription("Stop something now"),
  Command.withExamples([
    { command: "spillway kill add customer c-17 --dry-run", description: "What would it hold?" },
    {
      command: 'spillway kill add destination logs.example.com --for 2h --reason "they asked" --yes',
      description: "No push to a host for two hours",
    },
    { command: "spillway kill add everything --stop both --yes", description: "The big red button" },
    {
      command: "spillway kill add customer c-17 --nats nats-1:4222 --force --yes",
      description: "When no node answers",
    },
  ]),
);

function flag(name: string, description: string) {
  return Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false));
}

const inputOf = Effect.fnUntraced(function* (flags: {
  readonly kind: SwitchInput["kind"];
  readonly target: Option.Option<string>;
  readonly stop: NonNullable<SwitchInput["stops"]>;
  readonly for: Option.Option<string>;
  readonly force: boolean;
  readonly replace: boolean;
}) {
  const about = yield* aboutOf(flags.kind, flags.target);
  const problem = targetProblem(about, flags.stop);
  if (problem !== undefined) return yield* misused(problem);
  const forSeconds = Option.isSome(flags.for) ? yield* secondsOf(flags.for.value) : undefined;
  const input: SwitchInput = {
    kind: about.kind,
    ...(about.kind === "everything" ? {} : { target: about.target }),
    stops: flags.stop,
    ...(forSeconds === undefined ? {} : { forSeconds }),
    ...(flags.force ? { force: true } : {}),
    ...(flags.replace ? { replace: true } : {}),
  };
  return input;
});

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

const secondsOf = (text: string) => {
  const [, count, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (unitSeconds[unit ?? ""] ?? Number.NaN);
  return seconds >= 1
    ? Effect.succeed(seconds)
    : Effect.fail(misused(`--for must be like 45s, 30m, 2h or 1d, not "${text.slice(0, 40)}"`));
};

const show = (answer: SwitchAnswer, json: boolean) =>
  Console.log(json ? JSON.stringify(answer) : describeEffect(answer));

const describeEffect = ({ applied, dryRun, effect, switch: each }: SwitchAnswer): string =>
  [
    `${dryRun ? "Would stop" : applied === false ? "Is to stop" : "Stopped"} ${describeStop(each)}.`,
    ...(applied === false ? [`Not yet here. ${notApplied}`] : []),
    ...rowsOf(effect),
    each.untilMillis === undefined
      ? "Until somebody removes it."
      : `Until ${DateTime.formatIso(DateTime.makeUnsafe(each.untilMillis))}.`,
    ...(effect.partitionsUnheard === 0
      ? []
      : [`Incomplete: nobody spoke for ${effect.partitionsUnheard} partitions, so that there may be more waiting.`]),
    ...(dryRun ? ["Nothing was changed."] : []),
  ].join("\n");

const rowsOf = (effect: SwitchEffect): ReadonlyArray<string> => {
  const rows: ReadonlyArray<readonly [string, number]> = [
    ["push jobs", effect.jobs],
    ["customers", effect.customers],
    ["datasets", effect.datasets],
    ["destination hosts", effect.destinations],
    ["buffers with a backlog", effect.buffers],
    ["records waiting", effect.backlogRecords],
    ["bytes waiting", effect.backlogBytes],
  ];
  return rows.map(([what, count]) => `  ${what.padEnd(24)}${grouped(count).padStart(16)}`);
};
