import type { Drill, DrillFault } from "../drill.ts";
import type { RunRecord } from "./figures.ts";
import { rounded } from "./rounded.ts";
import { ruleOf } from "./sample.ts";

/** When and by what the system showed that it knew of a fault. Seconds are since its beginning; null: it never did. */
export interface Detection {
  readonly fault: string;
  readonly detectSeconds: number | null;
  readonly detectedBy: string | null;
  /** Until an alert fired that had not fired when the fault began: what a person is told. */
  readonly alertSeconds: number | null;
  readonly alert: string | null;
}

/** Of each fault of the drill, in the order in which they begin. */
export const detectionsOf = (run: RunRecord): ReadonlyArray<Detection> =>
  faultsOf(run.drill).map((fault) => detectionOf(run, fault));

/** A drill that breaks one thing need not name it. */
const faultsOf = (drill: Drill): ReadonlyArray<DrillFault> => {
  if (drill.faults !== undefined) return drill.faults;
  const first = drill.phases.find(({ kind }) => kind === "fault");
  return first === undefined ? [] : [{ name: drill.name, phase: first.name, noticed: drill.noticed }];
};

const detectionOf = ({ phaseStarts, samples }: RunRecord, fault: DrillFault): Detection => {
  const nobody = { fault: fault.name, detectSeconds: null, detectedBy: null, alertSeconds: null, alert: null };
  const begin = phaseStarts.find(({ name }) => name === fault.phase)?.seconds;
  if (begin === undefined) return nobody;
  const baseline = samples.findLast(({ seconds }) => seconds < begin);
  // One that goes on from an earlier fault tells nobody of this one.
  const known = new Set(baseline?.firing);
  const since = samples.filter(({ seconds }) => seconds >= begin);
  const isOwn = (key: string) => !known.has(key) && (fault.alerts === undefined || fault.alerts.includes(ruleOf(key)));
  const alerted = since.find(({ firing }) => firing.some(isOwn));
  const alert = alerted?.firing.find(isOwn) ?? null;
  const seen = since.find((sample) => sample === alerted || fault.noticed(sample, baseline) !== undefined);
  if (seen === undefined) return nobody;
  const after = (seconds: number) => rounded(seconds - begin);
  return {
    fault: fault.name,
    detectSeconds: after(seen.toldSeconds),
    detectedBy: fault.noticed(seen, baseline) ?? `alert ${alert}`,
    alertSeconds: alerted === undefined ? null : after(alerted.toldSeconds),
    alert,
  };
};

/** The slowest of all; null when one of them is. */
export const slowest = (seconds: ReadonlyArray<number | null>): number | null =>
  seconds.length === 0
    ? null
    : seconds.reduce((most, each) => (most === null || each === null ? null : Math.max(most, each)));
