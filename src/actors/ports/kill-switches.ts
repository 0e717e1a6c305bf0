import { Context } from "effect";
import { noSwitches, type SwitchSet } from "../../domain/switch-set.ts";

/** What the door and the pushes ask about kill switches, at once and from memory. */
export interface KillSwitchesView {
  /** Immutable: whoever holds one sees the same for as long. */
  readonly current: () => SwitchSet;
  /** Calls back after each change. Answers how to stop that. */
  readonly onChange: (changed: () => void) => () => void;
}

/** Nothing is stopped, ever: for tests of what has nothing to do with it. */
export const noKillSwitches: KillSwitchesView = { current: () => noSwitches, onChange: () => () => {} };

/** None where nobody provides any. A node always does. */
export const KillSwitches = Context.Reference<KillSwitchesView>("spillway/actors/ports/KillSwitches", {
  defaultValue: () => noKillSwitches,
});
