import type { Limits } from "../../domain/limits.ts";
import type { Evidence } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import type { Sample } from "../record/sample.ts";

/** The most of a metric that any sample saw. */
export const mostOf = (samples: ReadonlyArray<Sample>, name: string, labels = ""): number =>
  samples.reduce((most, { metrics }) => Math.max(most, metricSum(metrics, name, labels)), 0);

/** The limit as the nodes have it. */
export const valueOf = ({ limits }: Evidence, name: keyof Limits): number =>
  limits.find((limit) => limit.name === name)?.value ?? Number.POSITIVE_INFINITY;

/** Whether so much of a limit was in use, in percent, at some moment. */
export const wasUsed = ({ limits, samples }: Evidence, name: keyof Limits, percent: number): boolean => {
  const bound = valueOf({ limits, samples } as Evidence, name);
  const most = samples.reduce((so, { uses }) => Math.max(so, uses.get(name) ?? 0), 0);
  const marks = limits.reduce((so, limit) => Math.max(so, limit.name === name ? (limit.highWater ?? 0) : 0), 0);
  return Math.max(most, marks) * 100 >= bound * percent;
};
