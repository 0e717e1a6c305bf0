import type { Limits } from "../../domain/limits.ts";
import type { Evidence } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import { type Sample, usedMost } from "../record/sample.ts";

/** The most of a gauge that any sample saw. */
export const mostOf = (samples: ReadonlyArray<Sample>, name: string, labels = ""): number =>
  samples.reduce((most, { metrics }) => Math.max(most, metricSum(metrics, name, labels)), 0);

/** By how much a counter rose in the samples: on a node that was there before, it does not begin at 0. */
export const riseOf = (samples: ReadonlyArray<Sample>, name: string, labels = ""): number =>
  mostOf(samples, name, labels) - (samples[0] === undefined ? 0 : metricSum(samples[0].metrics, name, labels));

/** The limit as the nodes have it. */
export const valueOf = ({ limits }: Evidence, name: keyof Limits): number =>
  limits.find((limit) => limit.name === name)?.value ?? Number.POSITIVE_INFINITY;

/** Whether so much of a limit was in use, in percent, at some moment of the drill. */
export const wasUsed = (evidence: Evidence, name: keyof Limits, percent: number): boolean => {
  const used = usedMost(evidence.samples, name);
  return used > 0 && used * 100 >= valueOf(evidence, name) * percent;
};
