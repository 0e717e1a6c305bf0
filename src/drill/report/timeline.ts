import type { RunRecord } from "../record/figures.ts";
import type { Sample } from "../record/sample.ts";
import type { Span } from "./chart.ts";

/** One second of a run, for the JSON beside the report. Rates are since the sample before. */
export interface TimelineEntry {
  readonly seconds: number;
  readonly phase: string;
  readonly offeredPerSecond: number;
  readonly deliveredPerSecond: number;
  readonly refusedRequestsPerSecond: number;
  readonly buffers: number | null;
  readonly pending: number;
  readonly gaveUp: number;
  readonly admission: number;
  readonly isReady: boolean;
  readonly silent: ReadonlyArray<string>;
  readonly armed: ReadonlyArray<string>;
  readonly alerts: ReadonlyArray<string>;
}

export const timelineOf = ({ samples }: RunRecord): ReadonlyArray<TimelineEntry> =>
  samples.map((sample, at) => {
    const before = samples[at - 1];
    const seconds = Math.max(0.001, sample.seconds - (before?.seconds ?? 0));
    const rate = (of: (each: Sample) => number) =>
      Math.round((of(sample) - (before === undefined ? 0 : of(before))) / seconds);
    return {
      seconds: Math.round(sample.seconds * 10) / 10,
      phase: sample.phase,
      offeredPerSecond: rate(({ offered }) => offered),
      deliveredPerSecond: rate(({ delivered }) => delivered),
      refusedRequestsPerSecond: rate(({ requestsRefused }) => requestsRefused),
      buffers: sample.buffers,
      pending: sample.pending,
      gaveUp: sample.gaveUp,
      admission: sample.admission,
      isReady: sample.isReady,
      silent: sample.silent,
      armed: sample.armed,
      alerts: sample.alerts,
    };
  });

/** Phases, and the time after the last of them in which what was on its way still came. */
export const spansOf = ({ drill, phaseStarts, samples, seconds }: RunRecord): ReadonlyArray<Span> => {
  const planned = drill.phases.at(-1);
  const last = phaseStarts.at(-1);
  const offering = samples.findLast(({ offered }, at) => offered > (samples[at - 1]?.offered ?? 0))?.seconds ?? seconds;
  const end = planned === undefined || last === undefined ? seconds : Math.max(last.seconds, offering);
  const spans = phaseStarts.map(({ name, seconds: from }, at): Span => {
    const kind = drill.phases.find((phase) => phase.name === name)?.kind ?? "baseline";
    return { name, kind, from, to: phaseStarts[at + 1]?.seconds ?? end };
  });
  return [...spans, { name: "end", kind: "end", from: end, to: seconds }];
};
