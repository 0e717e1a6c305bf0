import type { GuardName } from "../../domain/drill-state.ts";
import type { Drill } from "../drill.ts";
import type { DrillRun } from "../conclude.ts";

export interface BarCell {
  /** Null: it could not be measured. */
  readonly value: number | null;
  readonly holds: boolean;
}

/** One bar in all runs, in their order. */
export interface BarRow {
  readonly bar: string;
  readonly about: string;
  readonly cells: ReadonlyArray<BarCell>;
}

/** Every bar against every run: which protection it is that a bar depends on. */
export interface BarMatrix {
  /** Per run: what it was without. */
  readonly runs: ReadonlyArray<string>;
  readonly rows: ReadonlyArray<BarRow>;
}

export const barMatrix = (drill: Drill, runs: ReadonlyArray<DrillRun>): BarMatrix => ({
  runs: runs.map(({ figures }) => titleOf(drill, figures.guardsOff)),
  rows: drill.bars.map(({ about, bound, figure, relation }, at) => ({
    bar: `${figure} ${relation === "atMost" ? "≤" : "≥"} ${bound}`,
    about,
    cells: runs.map(({ bars }) => ({ value: bars[at]?.value ?? null, holds: bars[at]?.holds === true })),
  })),
});

const titleOf = ({ guards }: Drill, off: ReadonlyArray<GuardName>): string => {
  if (off.length === 0) return "all on";
  return off.length > 1 && guards.every(({ name }) => off.includes(name)) ? "none on" : `without ${off.join(", ")}`;
};
