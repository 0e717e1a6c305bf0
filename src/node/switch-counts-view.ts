import { Effect } from "effect";
import { KillSwitches } from "../actors/ports/kill-switches.ts";
import { newSwitchCounts, setSwitchCount } from "../control-thread/switch-counts.ts";
import { switchKinds } from "../domain/kill-switch.ts";

/** Kept up to date as long as the scope is open. */
export const watchSwitchCounts = Effect.gen(function* () {
  const switches = yield* KillSwitches;
  const counts = newSwitchCounts(switchKinds);
  const look = () => {
    for (const kind of switchKinds) setSwitchCount(counts, kind, switches.current().countOf(kind));
  };
  yield* Effect.acquireRelease(
    Effect.sync(() => switches.onChange(look)),
    (stop) => Effect.sync(stop),
  );
  look();
  return counts;
});
