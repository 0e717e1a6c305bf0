import { Console, Effect, Option } from "effect";
import { Argument, Command, Flag, Prompt } from "effect/cli";
import type { ConfigDiff, ConfigStatus } from "../../domain/config-report.ts";
import type { ApiClient } from "../client.ts";
import { failed, misused } from "../command-failure.ts";
import { grouped } from "../table.ts";
import { openConfigLine, planMillisMax, rolloutFlags } from "./config-line.ts";
import { followRollout } from "./follow-rollout.ts";
import { rolloutLine, statusText } from "./status-text.ts";

export const rollback = Command.make(
  "rollback",
  {
    ...rolloutFlags,
    number: Argument.Int("snapshot").pipe(
      Argument.withDescription("Number of an earlier snapshot (default: the one before)"),
      Argument.optional,
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("Do not ask; required where nobody can be asked"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* (flags) {
    const mayAsk = process.stdin.isTTY && process.stderr.isTTY;
    if (!flags.yes && !mayAsk)
      return yield* misused(
        "nobody can be asked here, and this changes what every node does: look with `spillway config diff`, then " +
          "repeat with --yes",
      );
    const client = yield* openConfigLine(flags.url, flags.reason);
    const before = (yield* client.ask({ method: "GET", path: "/v1/config/status" })).body as ConfigStatus;
    if (!flags.yes) {
      yield* Console.error(yield* describeWayBack(client, before, flags.number));
      const sure = yield* Prompt.Confirm({ message: "Go back now?" }).pipe(Effect.orElseSucceed(() => false));
      if (!sure) return yield* failed("nothing was changed");
    }
    const json = {
      ...Option.match(flags.number, { onNone: () => ({}), onSome: (to) => ({ to }) }),
      ...Option.match(flags.accept, { onNone: () => ({}), onSome: (accept) => ({ accept }) }),
    };
    const asked = { method: "POST", path: "/v1/config/rollback", json, millisMax: planMillisMax } as const;
    const begun = (yield* client.ask(asked)).body as ConfigStatus;
    if (flags.detach) return yield* Console.log(flags.json ? JSON.stringify(begun) : statusText(begun));
    const isWayBack = before.rollout.target !== null && before.rollout.target.hash === begun.begun?.hash;
    yield* followRollout(client, begun, { json: flags.json, seconds: flags.timeout, isWayBack });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Bring the content of an earlier snapshot back: an ordinary rollout, through the same gates. During a rollout: go " +
      "back to what it came from. Afterwards the configuration is frozen, for the job store still has what was undone. " +
      "Asks first, unless --yes. Exit codes as of `apply`; a rollout that has gone back as it was told is 0.",
  ),
  Command.withShortDescription("Go back to an earlier snapshot"),
  Command.withExamples([
    { command: "spillway config rollback", description: "Back to the one before, or out of the rollout under way" },
    {
      command: 'spillway config rollback 41 --reason "bad region" --yes',
      description: "Back to snapshot 41, in a script",
    },
  ]),
);

/** What it would change, for whoever is asked. */
const describeWayBack = Effect.fnUntraced(function* (
  client: ApiClient,
  { inForce, rollout }: ConfigStatus,
  number: Option.Option<number>,
) {
  if (rollout.state !== "idle")
    return `This takes back what is on its way, from every node.\n  ${rolloutLine(rollout)}`;
  if (inForce === null) return "No configuration is in force.";
  const jobs = inForce.jobs === undefined ? "whose content cannot be read" : `with ${grouped(inForce.jobs)} jobs`;
  const from = `snapshot ${inForce.number} is in force, ${jobs}`;
  if (Option.isNone(number)) return `This brings the snapshot before back, on every node: ${from}.`;
  const found = (yield* client.ask({
    method: "GET",
    path: `/v1/config/diff?from=${inForce.number}&to=${number.value}`,
    millisMax: planMillisMax,
  })).body as ConfigDiff;
  const count = found.changes.length + found.more;
  return (
    `This brings snapshot ${number.value} back, on every node: ${from}; ${grouped(count)} of the jobs change ` +
    `(\`spillway config diff ${inForce.number} ${number.value}\`).`
  );
});
