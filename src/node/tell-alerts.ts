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
/** Longer silent, a node is gone rather than of another mind. */
const silentMillisMax = 5_000;

/** Tells the alerts what only the configuration's path and the kill switches know, for as long as the scope lives. */
export const tellAlerts = Effect.gen(function* () {
  const readings = yield* AlertReadings;
  const control = yield* ConfigControl;
  const switches = yield* KillSwitches;
  const { follower } = yield* NodeConfiguration;
  let heardMillis = yield* steadyMillis;

  const tellSwitches = Effect.gen(function* () {
    yield* readings.clear("killSwitchOn");
    for (const { id } of switches.current().all) yield* readings.set("killSwitchOn", { name: id }, 1);
  });

  const tellStatus = Effect.fnUntraced(function* (status: ConfigStatus) {
    const { frozen, inForce, last, nodes, refusal } = status;
    const rules = (refusal?.refusals ?? []).map(({ rule }) => rule);
    yield* readings.clear("configRefused");
    for (const rule of rules) yield* readings.set("configRefused", { rule }, 1);
    // Until a person has looked at it: that is what the freeze is for.
    const isBack = last?.result === "rolledBack" || frozen?.who === "spillway";
    yield* isBack ? readings.set("rolloutRolledBack", {}, 1) : readings.clear("rolloutRolledBack");
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

  const look = Effect.gen(function* () {
    yield* tellSwitches;
    const status = yield* Effect.option(control.status);
    if (status._tag === "Some") {
      heardMillis = yield* steadyMillis;
      yield* tellStatus(status.value);
    }
    yield* tellStale;
    // Of this node itself, whoever leads or does not.
    const refused = follower.refused();
    if (refused !== undefined) yield* readings.set("configRefused", { rule: refused.rule }, 1);
    else if (status._tag === "None") yield* readings.clear("configRefused");
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
