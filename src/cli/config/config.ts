import { Console, Effect } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import type { ConfigDiff, ConfigPlan, ConfigStatus, RolloutRecord } from "../../domain/config-report.ts";
import { CommandFailure } from "../command-failure.ts";
import { apply } from "./apply.ts";
import { connectFlags, openConfigLine, planMillisMax, reasonFlag } from "./config-line.ts";
import { diffText, planText } from "./plan-text.ts";
import { rollback } from "./rollback.ts";
import { historyText, statusText } from "./status-text.ts";

const plan = Command.make(
  "plan",
  connectFlags,
  Effect.fn(function* ({ json, url }) {
    const client = yield* openConfigLine(url);
    const asked = { method: "GET", path: "/v1/config/plan", millisMax: planMillisMax } as const;
    const planned = (yield* client.ask(asked)).body as ConfigPlan;
    yield* Console.log(json ? JSON.stringify(planned) : planText(planned));
    if (planned.verdict !== null || planned.rollout.state !== "idle")
      return yield* new CommandFailure({ message: "", exitCode: 2 });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Show what would be rolled out next, in numbers, and what the gate says of it. " +
      "Exit code 0: nothing would change; 2: something would; 1: an error, also a wrong flag.",
  ),
  Command.withShortDescription("What would change, and whether it may"),
  Command.withExamples([
    { command: "spillway config plan", description: "What would go out next, job by job" },
    { command: "spillway config plan --json", description: "With the gate's verdict, for scripts" },
  ]),
);

const status = Command.make(
  "status",
  connectFlags,
  Effect.fn(function* ({ json, url }) {
    const client = yield* openConfigLine(url);
    const now = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).body as ConfigStatus;
    yield* Console.log(json ? JSON.stringify(now) : statusText(now));
  }, Effect.scoped),
).pipe(
  Command.withDescription("Show what is in force, what is on its way, and which node serves what."),
  Command.withExamples([{ command: "spillway config status", description: "Where the configuration stands" }]),
);

const history = Command.make(
  "history",
  { ...connectFlags, limit: Flag.Int("limit").pipe(Flag.withDescription("So many at most"), Flag.withDefault(20)) },
  Effect.fn(function* ({ json, limit, url }) {
    const client = yield* openConfigLine(url);
    const page = (yield* client.ask({
      method: "GET",
      path: `/v1/config/history?limit=${limit}`,
      millisMax: planMillisMax,
    })).body as {
      readonly rollouts: ReadonlyArray<RolloutRecord>;
    };
    yield* Console.log(json ? JSON.stringify(page) : historyText(page.rollouts));
  }, Effect.scoped),
).pipe(
  Command.withDescription("List ended rollouts, the newest first."),
  Command.withExamples([{ command: "spillway config history --limit 5", description: "The last five" }]),
);

const diff = Command.make(
  "diff",
  {
    ...connectFlags,
    from: Argument.Int("from").pipe(Argument.withDescription("Number of a snapshot")),
    to: Argument.Int("to").pipe(Argument.withDescription("Number of another one")),
  },
  Effect.fn(function* ({ from, json, to, url }) {
    const client = yield* openConfigLine(url);
    const found = (yield* client.ask({
      method: "GET",
      path: `/v1/config/diff?from=${from}&to=${to}`,
      millisMax: planMillisMax,
    })).body as ConfigDiff;
    const isSame = found.changes.length + found.more === 0;
    yield* Console.log(json ? JSON.stringify(found) : isSame ? "No job differs." : diffText(found));
  }, Effect.scoped),
).pipe(
  Command.withDescription("Show which jobs differ between two snapshots, secrets left out."),
  Command.withExamples([{ command: "spillway config diff 41 42", description: "What snapshot 42 has changed" }]),
);

/** Commands that change one thing and show what is so then. */
const simple = (
  name: "freeze" | "unfreeze" | "halt" | "resume",
  description: string,
  example: { readonly command: string; readonly description: string },
) =>
  Command.make(
    name,
    { ...connectFlags, reason: reasonFlag },
    Effect.fn(function* ({ json, reason, url }) {
      const client = yield* openConfigLine(url, reason);
      const now = (yield* client.ask({
        method: "POST",
        path: `/v1/config/${name}`,
        json: {},
        millisMax: planMillisMax,
      })).body as ConfigStatus;
      yield* Console.log(json ? JSON.stringify(now) : statusText(now));
    }, Effect.scoped),
  ).pipe(Command.withDescription(description), Command.withExamples([example]));

const freezing =
  "Roll nothing out until further notice. A rollout that is under way goes on: `halt` stops it, `rollback` takes it back.";
const freeze = simple("freeze", freezing, {
  command: 'spillway config freeze --reason "an incident"',
  description: "Change nothing for now",
});
const unfreeze = simple("unfreeze", "Let what is stored go out again.", {
  command: "spillway config unfreeze",
  description: "After a look at `spillway config plan`",
});
const halt = simple("halt", "Stop the rollout under way where it is: who has it keeps it, nobody else gets it.", {
  command: 'spillway config halt --reason "errors at acme"',
  description: "Then `resume`, or `rollback`",
});
const resume = simple("resume", "Go on with a rollout that was halted.", {
  command: "spillway config resume",
  description: "From the step at which it was halted",
});

export const config = Command.make("config").pipe(
  Command.withDescription(
    "The configuration's way into force: changed jobs are generated into a snapshot, judged by a gate, rolled out in " +
      "steps, watched, and rolled back by themselves when it goes badly.",
  ),
  Command.withShortDescription("Plan, roll out and roll back the configuration"),
  Command.withExamples([
    { command: "spillway config plan", description: "Look first" },
    { command: "spillway config apply", description: "Then roll it out, and watch" },
  ]),
  Command.withSubcommands([plan, apply, status, history, diff, rollback, freeze, unfreeze, halt, resume]),
);
