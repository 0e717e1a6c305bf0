import type { GuardName } from "../../domain/drill-state.ts";
import type { Drill } from "../drill.ts";
import { barText } from "../record/verdict.ts";
import type { DrillRun } from "../conclude.ts";
import { shown } from "./html-text.ts";

/** What one protection is good for, as far as these runs show it. */
export interface GuardRow {
  readonly guard: string;
  readonly stops: string;
  readonly on: string;
  readonly off: string;
  /** Bars that hold with it and are missed without it; null: there was no such run. */
  readonly missed: ReadonlyArray<string> | null;
  /** Protections that were off in both runs. */
  readonly offAlready: ReadonlyArray<GuardName>;
}

/**
 * One row per protection of the drill, and one for all of them where a run was without any. A protection is compared
 * with all others on; where there is no such run, with those on that come after it in the drill's order.
 */
export const guardRows = (drill: Drill, runs: ReadonlyArray<DrillRun>): ReadonlyArray<GuardRow> => {
  const names = drill.guards.map(({ name }) => name);
  const without = (off: ReadonlyArray<GuardName>) => runs.find(({ figures }) => isSame(figures.guardsOff, off));
  const rows = drill.guards.map(({ name, stops }, at): GuardRow => {
    const alone = without([name]);
    if (alone !== undefined || at === 0) return rowOf(name, stops, without([]), alone);
    return rowOf(name, stops, without(names.slice(0, at)), without(names.slice(0, at + 1)));
  });
  const none = names.length > 1 ? without(names) : undefined;
  return none === undefined ? rows : [...rows, rowOf("all of them", "the whole chain", without([]), none)];
};

const isSame = (one: ReadonlyArray<GuardName>, other: ReadonlyArray<GuardName>): boolean =>
  one.length === other.length && one.every((name) => other.includes(name));

const rowOf = (guard: string, stops: string, on: DrillRun | undefined, off: DrillRun | undefined): GuardRow => ({
  guard,
  stops,
  on: told(on),
  off: told(off),
  missed: on === undefined || off === undefined ? null : missedBetween(on, off),
  offAlready: on?.figures.guardsOff ?? [],
});

const missedBetween = (on: DrillRun, off: DrillRun): ReadonlyArray<string> =>
  off.bars.flatMap((bar, at) => (!bar.holds && on.bars[at]?.holds !== false ? [barText(bar)] : []));

const told = (run: DrillRun | undefined): string => {
  if (run === undefined) return "not run";
  const { acknowledgedLost, buffersMax, configuredLost, configuredLostPercent, recoverSeconds } = run.figures;
  const { strangersStored } = run.figures;
  return [
    `lost ${shown(configuredLost)} (${shown(configuredLostPercent)} %)`,
    `acknowledged and lost ${shown(acknowledgedLost)}`,
    ...(strangersStored > 0 ? [`stored for strangers ${shown(strangersStored)}`] : []),
    `buffers ${shown(buffersMax)}`,
    `recovered in ${shown(recoverSeconds)} s`,
  ].join(", ");
};
