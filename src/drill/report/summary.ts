import type { Drill } from "../drill.ts";
import type { Detection } from "../record/detection.ts";
import type { Figures } from "../record/figures.ts";
import { guardRows } from "./guard-rows.ts";
import { shown } from "./html-text.ts";
import { barText } from "../record/verdict.ts";
import type { DrillRun } from "../conclude.ts";

/** For people: what each run showed. */
export const summaryOf = (drill: Drill, runs: ReadonlyArray<DrillRun>): string =>
  [...runs.map((run) => [titleOf(drill, run), ...linesOf(drill, run)].join("\n")), ...guardLines(drill, runs)].join(
    "\n\n",
  );

/** Of several runs: which protection each bar depends on. */
const guardLines = (drill: Drill, runs: ReadonlyArray<DrillRun>): ReadonlyArray<string> => {
  if (runs.length < 2) return [];
  const lines = guardRows(drill, runs).flatMap(({ guard, missed }) =>
    missed === null ? [] : [`  ${guard.padEnd(guardColumns)}  ${missed.length === 0 ? "-" : missed.join(", ")}`],
  );
  return [["bars missed without", ...lines].join("\n")];
};

const guardColumns = 14;

const titleOf = (drill: Drill, { figures: { customers, guardsOff, seconds, world } }: DrillRun): string =>
  `${drill.name}, ${customers} customers, ${seconds.toFixed(0)} s, ${world}, ` +
  (guardsOff.length === 0 ? "every guard on" : `without ${guardsOff.join(", ")}`);

const linesOf = (drill: Drill, { bars, exercised, figures, problems }: DrillRun): ReadonlyArray<string> => [
  ...bars.map((bar) => `  ${bar.holds ? "holds " : "MISSED"}  ${barText(bar)}  (${bar.about})`),
  ...(drill.compared === undefined ? [] : [`  ${drill.compared(figures)}`]),
  `  lost ${figures.configuredLost} of ${figures.configuredOffered} records (${figures.configuredLostPercent} %): ` +
    `${figures.lostAtDoor} given up at the door, ${figures.droppedAsUnconfigured} dropped as unconfigured, ` +
    `${shown(figures.deadLettered)} dead letters, ${shown(figures.acknowledgedLost)} acknowledged and gone ` +
    `(${shown(figures.lostWithReceipt)} with a receipt)`,
  ...figures.detections.map((each) => `  ${noticedText(each)}`),
  `  limits exercised: ${exercised.length === 0 ? "none" : exercised.join(", ")}`,
  ...problems.map((problem) => `  ! ${problem}`),
];

const noticedText = ({ alert, alertSeconds, detectedBy, detectSeconds, fault }: Detection): string =>
  `${fault}: ` +
  (detectSeconds === null ? "noticed by nobody" : `noticed after ${detectSeconds} s (${detectedBy})`) +
  (alertSeconds === null ? ", no alert" : `, alert after ${alertSeconds} s (${alert})`);

/** The last line of `--json`: the figures of the last run, and those of all where there were several. */
export const lastLineOf = (runs: ReadonlyArray<DrillRun>): object => {
  const last = runs.at(-1);
  if (last === undefined) return {};
  return runs.length === 1 ? lineOf(last) : { ...lineOf(last), runs: runs.map(lineOf) };
};

const lineOf = ({ bars, exercised, figures, problems }: DrillRun): Figures & Record<string, unknown> => ({
  ...figures,
  barsMissed: bars.filter(({ holds }) => !holds).map(barText),
  limitsExercised: exercised,
  problems,
});
