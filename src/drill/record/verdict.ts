import type { Bar, Drill } from "../drill.ts";
import type { Figures } from "./figures.ts";

/** A bar and whether it held. */
export interface JudgedBar extends Bar {
  readonly value: number | null;
  readonly holds: boolean;
}

/** A figure that could not be measured holds no bar. */
export const judge = (drill: Drill, figures: Figures): ReadonlyArray<JudgedBar> =>
  drill.bars.map((bar) => {
    const value = figures[bar.figure];
    const holds = value !== null && (bar.relation === "atMost" ? value <= bar.bound : value >= bar.bound);
    return { ...bar, value, holds };
  });

/** `p99LagRatio 1.12 ≤ 1.5`. */
export const barText = ({ bound, figure, holds, relation, value }: JudgedBar): string => {
  const sign = relation === "atMost" ? (holds ? "≤" : ">") : holds ? "≥" : "<";
  return value === null ? `${figure} could not be measured` : `${figure} ${value} ${sign} ${bound}`;
};
