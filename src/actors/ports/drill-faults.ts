import { Context } from "effect";
import type { FaultName, GuardName } from "../../domain/drill-state.ts";

/** Read where a fault has its seam, or a guard its effect: at once, from memory, for well below a microsecond. */
export interface DrillSwitches {
  readonly isArmed: (name: FaultName) => boolean;
  readonly isGuardOn: (name: GuardName) => boolean;
}

/**
 * What drills have broken on purpose. Whoever provides nothing has a node on which nothing is ever armed and every
 * guard is on: this is so in production, in tests, and on every node that was not started for drills.
 */
export const DrillFaults = Context.Reference<DrillSwitches>("spillway/actors/ports/DrillFaults", {
  defaultValue: () => ({ isArmed: () => false, isGuardOn: () => true }),
});
