import { Console, Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import type { ConfigDiff, ConfigPlan, ConfigStatus, RolloutRecord } from "../../domain/config-report.ts";
import { openClient } from "../client.ts";
import { CommandFailure, misused } from "../command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { endOf, followRollout } from "./follow-rollout.ts";
import { diffText, planText } from "./plan-text.ts";
import { historyText, statusText } from "./status-text.ts";

/** Generating a snapshot of a million jobs takes seconds. */
const planMillisMax = 120_000;

const reasonFlag = Flag.String("reason").pipe(
  Flag.withDescription("Why, for the audit log and the history (default: SPILLWAY_REASON)"),
  Flag.optional,
);
const acceptFlag = Flag.String("accept-blast-radius").pipe(
  Flag.withDescription("Let the one snapshot with this hash past the gate's thresholds; audited"),
  Flag.optional,
);
const timeoutFlag = Flag.Int("timeout").pipe(
  Flag.withDescription("Watch for so many seconds at most; the rollout goes on all the same"),
  Flag.withDefault(3_600),
);
const detachFlag = Flag.Boolean("detach").pipe(
  Flag.withDescription("Begin, and do not watch"),
  Flag.withDefault(false),
);
const connect = { url: urlFlag, json: jsonFlag };

const open = Effect.fnUntraced(function* (url: string, reason: Option.Option<string> = Option.none()) {
  const connection = yield* connectionTo(url);
  return yield* openClient(
    Option.match(reason, { onNone: () => connection, onSome: (why) => ({ ...connection, reason: why }) }),
  );
});

const plan = Command.make(
  "plan",
  connect,
  Effect.fn(function* ({ json, url }) {
    const client = yield* open(url);
    const asked = { method: "GET", path: "/v1/config/plan", millisMax: planMillisMax } as const;
    const planned = (yield* client.ask(asked)).body as ConfigPlan;
    yield* Console.log(json ? JSON.stringify(planned) : planText(planned));
    if (planned.verdict !== null || planned.rollout.state !== "idle")
      return yield* new CommandFailure({ message: "", exitCode: 2 });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Show what would be rolled out next, in numbers, and what the gate says of it. " +
      "Exit code 0: nothing would change; 2: something would; 1: an error.",
  ),
  Command.withShortDescription("What would change, and whether it may"),
);

const status = Command.make(
  "status",
  connect,
  Effect.fn(function* ({ json, url }) {
    const client = yield* open(url);
    const now = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).body as ConfigStatus;
    yield* Console.log(json ? JSON.stringify(now) : statusText(now));
  }, Effect.scoped),
).pipe(Command.withDescription("Show what is in force, what is on its way, and which node serves what."));

const history = Command.make(
  "history",
  { ...connect, limit: Flag.Int("limit").pipe(Flag.withDescription("So many at most"), Flag.withDefault(20)) },
  Effect.fn(function* ({ json, limit, url }) {
    const client = yield* open(url);
    const page = (yield* client.ask({ method: "GET", path: `/v1/config/history?limit=${limit}` })).body as {
      readonly rollouts: ReadonlyArray<RolloutRecord>;
    };
    yield* Console.log(json ? JSON.stringify(page) : historyText(page.rollouts));
  }, Effect.scoped),
).pipe(Command.withDescription("List ended rollouts, the newest first."));

const diff = Command.make(
  "diff",
  {
    ...connect,
    from: Argument.Int("from").pipe(Argument.withDescription("Number of a snapshot")),
    to: Argument.Int("to").pipe(Argument.withDescription("Number of another one")),
  },
  Effect.fn(function* ({ from, json, to, url }) {
    const client = yield* open(url);
    const found = (yield* client.ask({ method: "GET", path: `/v1/config/diff?from=${from}&to=${to}` }))
      .body as ConfigDiff;
    const isSame = found.changes.length + found.more === 0;
    yield* Console.log(json ? JSON.stringify(found) : isSame ? "No job differs." : diffText(found));
  }, Effect.scoped),
).pipe(Command.withDescription("Show which jobs differ between two snapshots, secrets left out."));

const apply = Command.make(
  "apply",
  { ...connect, accept: acceptFlag, reason: reasonFlag, timeout: timeoutFlag, detach: detachFlag },
  Effect.fn(function* (flags) {
    const client = yield* open(flags.url, flags.reason);
    const before = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).body as ConfigStatus;
    const json = Option.match(flags.accept, { onNone: () => ({}), onSome: (accept) => ({ accept }) });
    const asked = { method: "POST", path: "/v1/config/apply", json, millisMax: planMillisMax } as const;
    const begun = (yield* client.ask(asked)).body as ConfigStatus;
    if (flags.detach) return yield* Console.log(flags.json ? JSON.stringify(begun) : statusText(begun));
    yield* followRollout(client, begun, { json: flags.json, lastBefore: endOf(before), seconds: flags.timeout });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Roll out what is pending, and show how it goes. What the gate lets past goes out by itself; this is for what it " +
      "refused (--accept-blast-radius), and to watch. Ctrl-C ends the watching, not the rollout. Exit code 0: in force " +
      "everywhere; 3: rolled back; 4: refused; 5: halted; 1: an error, or not ended in time.",
  ),
  Command.withShortDescription("Roll out what is pending"),
  Command.withExamples([
    { command: "spillway config apply", description: "Roll out what is pending, and watch" },
    { command: "spillway config apply --accept-blast-radius 4a67…", description: "Let exactly that snapshot past" },
  ]),
);

const rollback = Command.make(
  "rollback",
  {
    ...connect,
    number: Argument.Int("snapshot").pipe(
      Argument.withDescription("Number of an earlier snapshot (default: the one before)"),
      Argument.optional,
    ),
    accept: acceptFlag,
    reason: reasonFlag,
    timeout: timeoutFlag,
    yes: Flag.Boolean("yes").pipe(Flag.withDescription("Go back without being told twice"), Flag.withDefault(false)),
  },
  Effect.fn(function* (flags) {
    if (!flags.yes)
      return yield* misused("this changes what every node does: say --yes; `spillway config diff` shows what.");
    const client = yield* open(flags.url, flags.reason);
    const before = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).body as ConfigStatus;
    const json = {
      ...Option.match(flags.number, { onNone: () => ({}), onSome: (to) => ({ to }) }),
      ...Option.match(flags.accept, { onNone: () => ({}), onSome: (accept) => ({ accept }) }),
    };
    const asked = { method: "POST", path: "/v1/config/rollback", json, millisMax: planMillisMax } as const;
    const begun = (yield* client.ask(asked)).body as ConfigStatus;
    yield* followRollout(client, begun, { json: flags.json, lastBefore: endOf(before), seconds: flags.timeout });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Bring the content of an earlier snapshot back: an ordinary rollout, through the same gates. During a rollout: go " +
      "back to what it came from. Afterwards the configuration is frozen, for the job store still has what was undone. " +
      "Exit codes as of `apply`.",
  ),
  Command.withShortDescription("Go back to an earlier snapshot"),
);

/** Commands that change one thing and show what is so then. */
const simple = (name: "freeze" | "unfreeze" | "halt" | "resume", description: string) =>
  Command.make(
    name,
    { ...connect, reason: reasonFlag },
    Effect.fn(function* ({ json, reason, url }) {
      const client = yield* open(url, reason);
      const now = (yield* client.ask({ method: "POST", path: `/v1/config/${name}`, json: {} })).body as ConfigStatus;
      yield* Console.log(json ? JSON.stringify(now) : statusText(now));
    }, Effect.scoped),
  ).pipe(Command.withDescription(description));

export const config = Command.make("config").pipe(
  Command.withDescription(
    "The configuration's way into force: changed jobs are generated into a snapshot, judged by a gate, rolled out in " +
      "steps, watched, and rolled back by themselves when it goes badly.",
  ),
  Command.withShortDescription("Plan, roll out and roll back the configuration"),
  Command.withSubcommands([
    plan,
    apply,
    status,
    history,
    diff,
    rollback,
    simple("freeze", "Roll nothing out until further notice."),
    simple("unfreeze", "Let what is stored go out again."),
    simple("halt", "Stop the rollout under way where it is: who has it keeps it, nobody else gets it."),
    simple("resume", "Go on with a rollout that was halted."),
  ]),
);
