import { Effect } from "effect";
import { steadyMillis } from "../domain/steady-clock.ts";
import { KillSwitches } from "../actors/ports/kill-switches.ts";
import { ConfigControl } from "../api/config-port.ts";
import { hashToldTo } from "../domain/config-as-told.ts";
import type { ConfigStatus } from "../domain/config-report.ts";
import { AlertReadings } from "../observability/alert-readings.ts";
import { NodeConfiguration } from "./served-jobs.ts";

const lookMillis = 1_000;
/** A control process that is held up lets us wait for an answer: how long nobody was heard of is told meanwhile. */
const staleMillis = 250;
/** What the control process said last is taken for true for so long after it has fallen silent. */
const wordMillisMax = 600_000;
/** Longer silent, a node is gone rather than of another mind. */
const silentMillisMax = 5_000;

/** Tells the alerts what only the configuration's path and the kill switches know, for as long as the scope lives. */
export const tellAlerts = Effect.fnUntraced(function* (nodeName: string) {
  const readings = yield* AlertReadings;
  const control = yield* ConfigControl;
  const switches = yield* KillSwitches;
  const { follower } = yield* NodeConfiguration;
  let heardMillis = yield* steadyMillis;

  const tellSwitches = Effect.gen(function* () {
    yield* readings.clear("killSwitchOn");
    for (const { id } of switches.current().all) yield* readings.set("killSwitchOn", { name: id }, 1);
  });

  /** Those of the gate, as the control process said last. */
  let rulesTold: ReadonlyArray<string> = [];

  const tellStatus = Effect.fnUntraced(function* (status: ConfigStatus) {
    const { frozen, inForce, last, nodes, refusal, rollout } = status;
    const rules = (refusal?.refusals ?? []).map(({ rule }) => rule);
    for (const rule of rulesTold) if (!rules.includes(rule)) yield* readings.clear("configRefused", { rule });
    for (const rule of rules) yield* readings.set("configRefused", { rule }, 1);
    rulesTold = rules;
    // By itself, and until a person has looked at it: that is what the freeze is for.
    const isBack = (last?.result === "rolledBack" && last.takenBackBy === undefined) || frozen?.who === "spillway";
    yield* isBack ? readings.set("rolloutRolledBack", {}, 1) : readings.clear("rolloutRolledBack");
    yield* readings.set("rolloutHalted", {}, rollout.state === "halted" ? 1 : 0);
    const others = nodes.filter(
      ({ node, serves, silentMillis }) =>
        silentMillis <= silentMillisMax && inForce !== null && serves?.hash !== hashToldTo(status, node),
    );
    yield* readings.set("nodesDiverge", {}, others.length);
  });

  const tellStale = Effect.gen(function* () {
    const nowMillis = yield* steadyMillis;
    yield* readings.set("snapshotStale", {}, Math.floor((nowMillis - heardMillis) / 100) / 10);
  });

  /** Too long ago to be relied on: whether it is over, nobody can say. */
  const forgetStatus = Effect.gen(function* () {
    for (const rule of rulesTold) yield* readings.forget("configRefused", { rule });
    for (const signal of ["rolloutRolledBack", "rolloutHalted", "nodesDiverge"] as const) {
      yield* readings.forget(signal, {});
    }
  });

  /** Of this node itself, whoever leads or does not: by its name, for another one may refuse the same. */
  let ownRule: string | undefined;
  const tellOwn = Effect.gen(function* () {
    const rule = follower.refused()?.rule;
    if (ownRule !== undefined && ownRule !== rule) {
      yield* readings.clear("configRefused", { rule: ownRule, node: nodeName });
    }
    if (rule !== undefined) yield* readings.set("configRefused", { rule, node: nodeName }, 1);
    ownRule = rule;
  });

  const look = Effect.gen(function* () {
    yield* tellSwitches;
    yield* tellOwn;
    // A question that failed says nothing: whoever leads may be busy, or another one about to lead.
    const status = yield* Effect.option(control.status);
    if (status._tag === "Some") {
      heardMillis = yield* steadyMillis;
      yield* tellStatus(status.value);
    }
    if ((yield* steadyMillis) - heardMillis > wordMillisMax) yield* forgetStatus;
    yield* tellStale;
  });
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(staleMillis), tellStale)));
  yield* Effect.forkScoped(
    Effect.forever(
      look.pipe(
        Effect.catchCause((cause) => Effect.logError("The alerts were not told of the configuration.", cause)),
        Effect.andThen(Effect.sleep(lookMillis)),
      ),
    ),
  );
});
