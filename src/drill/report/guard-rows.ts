import type { Drill } from "../drill.ts";
import type { DrillRun } from "../run-drill.ts";
import { shown } from "./html-text.ts";

/** What one protection is good for, as far as these runs show it. */
export interface GuardRow {
  readonly guard: string;
  readonly stops: string;
  readonly on: string;
  readonly off: string;
}

/** One row per protection of the drill, and one for all of them where a run was without any. */
export const guardRows = (drill: Drill, runs: ReadonlyArray<DrillRun>): ReadonlyArray<GuardRow> => {
  const withAll = runs.find(({ figures }) => figures.guardsOff.length === 0);
  const names = drill.guards.map(({ name }) => name);
  const rows = drill.guards.map(({ name, stops }): GuardRow => {
    const alone = runs.find(({ figures }) => figures.guardsOff.length === 1 && figures.guardsOff[0] === name);
    return { guard: name, stops, on: told(withAll), off: told(alone) };
  });
  const without = runs.find(({ figures }) => figures.guardsOff.length === names.length && names.length > 1);
  if (without === undefined) return rows;
  return [...rows, { guard: "all of them", stops: "the whole chain", on: told(withAll), off: told(without) }];
};

const told = (run: DrillRun | undefined): string => {
  if (run === undefined) return "not run";
  const { acknowledgedLost, buffersMax, configuredLost, configuredLostPercent, recoverSeconds } = run.figures;
  return [
    `lost ${shown(configuredLost)} (${shown(configuredLostPercent)} %)`,
    `acknowledged and lost ${shown(acknowledgedLost)}`,
    `buffers ${shown(buffersMax)}`,
    `recovered in ${shown(recoverSeconds)} s`,
  ].join(", ");
};
