import { Console, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import type { ConfigStatus } from "../../domain/config-report.ts";
import { misused } from "../command-failure.ts";
import { openConfigLine, planMillisMax, rolloutFlags } from "./config-line.ts";
import { followRollout } from "./follow-rollout.ts";
import { statusText } from "./status-text.ts";

export const apply = Command.make(
  "apply",
  {
    ...rolloutFlags,
    canaryNodes: Flag.String("canary-nodes").pipe(
      Flag.withDescription(
        "These nodes serve all of it first, such as a,b; by default a share of the customers is first",
      ),
      Flag.optional,
    ),
    unfreeze: Flag.Boolean("unfreeze").pipe(
      Flag.withDescription("Also when the configuration is frozen, which ends with it unless the gate refuses"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* (flags) {
    const canaryNodes = namesIn(Option.getOrElse(flags.canaryNodes, () => ""));
    if (Option.isSome(flags.canaryNodes) && canaryNodes.length === 0)
      return yield* misused("--canary-nodes names no node; `spillway config status` lists them");
    const client = yield* openConfigLine(flags.url, flags.reason);
    const json = {
      ...Option.match(flags.accept, { onNone: () => ({}), onSome: (accept) => ({ accept }) }),
      ...(canaryNodes.length === 0 ? {} : { canaryNodes }),
      ...(flags.unfreeze ? { unfreeze: true } : {}),
    };
    const asked = { method: "POST", path: "/v1/config/apply", json, millisMax: planMillisMax } as const;
    const begun = (yield* client.ask(asked)).body as ConfigStatus;
    if (flags.detach) return yield* Console.log(flags.json ? JSON.stringify(begun) : statusText(begun));
    yield* followRollout(client, begun, { json: flags.json, seconds: flags.timeout });
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Roll out what is pending, and show how it goes. What the gate lets past goes out by itself; this is for what it " +
      "refused (--accept-blast-radius), and to watch: also a rollout that is under way already. " +
      "Ctrl-C ends the watching, not the rollout. Exit code 0: in force " +
      "everywhere; 3: rolled back; 4: refused; 5: halted; 1: an error, or not ended in time; 130: not watched any more.",
  ),
  Command.withShortDescription("Roll out what is pending"),
  Command.withExamples([
    { command: "spillway config apply", description: "Roll out what is pending, and watch" },
    { command: "spillway config apply --accept-blast-radius 4a67…", description: "Let exactly that snapshot past" },
    {
      command: "spillway config apply --unfreeze --canary-nodes node-3,node-7",
      description: "What was stored since `config freeze`, on two nodes first",
    },
    { command: "spillway config apply --detach --json", description: "Begin only, for scripts" },
  ]),
);

const namesIn = (list: string): ReadonlyArray<string> =>
  list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
