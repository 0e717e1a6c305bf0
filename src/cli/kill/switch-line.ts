import { hostname } from "node:os";
import { Config, Effect, Option } from "effect";
import { Argument, Flag } from "effect/cli";
import type { RemovedSwitch, SwitchAnswer, SwitchInput, SwitchList } from "../../api/switch-reports.ts";
import type { DirectSwitches } from "../../control/direct-switches.ts";
import {
  type KillSwitch,
  nameOfSwitch,
  normalTarget,
  switchIdOf,
  switchKinds,
  targetProblem,
} from "../../domain/kill-switch.ts";
import { actorName, headerText } from "../account.ts";
import { openClient } from "../client.ts";
import { failed, misused } from "../command-failure.ts";
import { connectionTo, urlFlag } from "../connection.ts";

/** Kill switches through a node's API, or without any node. */
export interface SwitchLine {
  readonly list: Effect.Effect<ReadonlyArray<KillSwitch>, CommandFailed>;
  /** Undefined: without a node nobody can say what a switch would hold. */
  readonly effect: ((input: SwitchInput) => Effect.Effect<SwitchAnswer, CommandFailed>) | undefined;
  readonly add: (input: SwitchInput) => Effect.Effect<KillSwitch | SwitchAnswer, CommandFailed>;
  readonly remove: (id: string) => Effect.Effect<RemovedSwitch, CommandFailed>;
}

type CommandFailed = ReturnType<typeof failed>;

export const kindArgument = Argument.Literals("kind", switchKinds).pipe(
  Argument.withDescription("What to stop: destination, customer, dataset or everything"),
);

export const targetArgument = Argument.String("target").pipe(
  Argument.withDescription(
    "Which one: a host as `spillway hosts` names it, a customer, a dataset; none for everything",
  ),
  Argument.optional,
);

export const lineFlags = {
  nats: Flag.String("nats").pipe(
    Flag.withDescription(
      "Go to these NATS servers (host:port, comma-separated) instead of a node; SPILLWAY_NATS_TOKEN",
    ),
    Flag.optional,
  ),
  reason: Flag.String("reason").pipe(
    Flag.withDescription("Why, for the audit log and whoever looks at the switch (default: SPILLWAY_REASON)"),
    Flag.withFallbackConfig(Config.String("SPILLWAY_REASON")),
    Flag.optional,
  ),
  url: urlFlag,
};

export interface LineFlags {
  readonly nats: Option.Option<string>;
  readonly reason: Option.Option<string>;
  readonly url: string;
}

/** For as long as the scope lives. */
export const openLine = (flags: LineFlags) =>
  Option.isSome(flags.nats) ? openDirect(flags.nats.value, flags) : openByNode(flags);

const openByNode = Effect.fnUntraced(function* ({ reason, url }: LineFlags) {
  const client = yield* openClient({ ...(yield* connectionTo(url)), reason: Option.getOrUndefined(reason) });
  const post = (input: SwitchInput, dryRun: boolean) =>
    Effect.map(
      client.ask({ method: "POST", path: `/v1/switches${dryRun ? "?dryRun=true" : ""}`, json: input }),
      ({ body }) => body as SwitchAnswer,
    );
  const line: SwitchLine = {
    list: Effect.map(client.ask({ method: "GET", path: "/v1/switches" }), ({ body }) => (body as SwitchList).switches),
    effect: (input) => post(input, true),
    add: (input) => post(input, false),
    remove: (id) =>
      Effect.map(
        client.ask({ method: "DELETE", path: `/v1/switches/${encodeURIComponent(id)}` }),
        ({ body }) => body as RemovedSwitch,
      ),
  };
  return line;
});

const openDirect = Effect.fnUntraced(function* (servers: string, { reason }: LineFlags) {
  const token = yield* Config.option(Config.Redacted("SPILLWAY_NATS_TOKEN")).pipe(
    Effect.mapError(() => misused("SPILLWAY_NATS_TOKEN cannot be read")),
  );
  // The NATS client is loaded by whoever needs it.
  const { openDirectSwitches } = yield* Effect.promise(() => import("../../control/direct-switches.ts"));
  const author = { who: actorName(), why: headerText(Option.getOrElse(reason, () => "")) };
  const direct: DirectSwitches = yield* openDirectSwitches({
    servers,
    token: Option.getOrUndefined(token),
    from: hostname(),
  }).pipe(Effect.mapError(({ message }) => failed(message)));
  const line: SwitchLine = {
    list: said(direct.list),
    effect: undefined,
    add: Effect.fnUntraced(function* (input) {
      const wanted = yield* switchOf(input, author);
      yield* said(direct.add(wanted, input.replace === true));
      return wanted;
    }),
    remove: Effect.fnUntraced(function* (id) {
      const removed = yield* said(direct.remove(id, author));
      if (removed !== undefined) return { switch: removed };
      return yield* failed(`There is no kill switch "${id}" that is on`);
    }),
  };
  return line;
});

const said = <A>(effect: Effect.Effect<A, { readonly message: string }>) =>
  Effect.mapError(effect, ({ message }) => failed(message));

/** As a node would make it. */
const switchOf = Effect.fnUntraced(function* (
  { forSeconds, kind, stops = "delivery", target = "" }: SwitchInput,
  author: { readonly who: string; readonly why: string },
) {
  const about = normalTarget({ kind, target });
  const problem = targetProblem(about, stops);
  if (problem !== undefined) return yield* misused(problem);
  const sinceMillis = yield* Effect.clockWith((clock) => clock.currentTimeMillis);
  const wanted: KillSwitch = {
    id: switchIdOf(about),
    ...about,
    stops,
    ...author,
    sinceMillis,
    ...(forSeconds === undefined ? {} : { untilMillis: sinceMillis + forSeconds * 1_000 }),
  };
  return wanted;
});

/** Also on a command line, a target belongs to its kind. */
export const aboutOf = (kind: KillSwitch["kind"], target: Option.Option<string>) => {
  if (kind === "everything") {
    return Option.isNone(target)
      ? Effect.succeed({ kind, target: "" })
      : Effect.fail(misused("everything takes no target"));
  }
  return Option.isSome(target)
    ? Effect.succeed(normalTarget({ kind, target: target.value }))
    : Effect.fail(misused(`name the ${kind}: spillway kill … ${kind} TARGET`));
};

const stopsWords = {
  delivery: "its deliveries stop, records are stored and wait",
  intake: "its records are refused at the door, what is stored is delivered",
  both: "its records are refused at the door, and its deliveries stop",
} as const;

/** What is to be said when the node that was asked does not hold what it has stored. */
export const notApplied =
  "It is stored, but the node that was asked cannot read the switches just now, and goes on as before until it can: see " +
  "its log, and `spillway kill list` on the other nodes.";

/** `customer c-17: its deliveries stop, records are stored and wait`. */
export const describeStop = (each: Pick<KillSwitch, "kind" | "target" | "stops">): string =>
  `${nameOfSwitch(each)}: ${stopsWords[each.stops]}`;
