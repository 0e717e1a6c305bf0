import type { Measurement } from "./measure.ts";

/** CPU-seconds per million records, Spillway and nats-server together, on two cores. */
const cpuBar = 6;
const manyCustomersFactor = 2;

export interface Bar {
  readonly text: string;
  readonly passed: boolean;
}

/** The bars that these measurements can be held against. */
export const barsOf = (measurements: ReadonlyArray<Measurement>): ReadonlyArray<Bar> => {
  const few = measurements.find(({ customers }) => customers === 100);
  const many = measurements.find(({ customers }) => customers === 10_000);
  return [
    ...(few === undefined ? [] : [bar("100 customers", few.cpuSecondsPerMillion, cpuBar)]),
    ...(many === undefined
      ? []
      : [bar("10,000 customers", many.cpuSecondsPerMillion, cpuBar * manyCustomersFactor, ratio(few, many))]),
  ];
};

const bar = (what: string, value: number, most: number, remark = ""): Bar => ({
  text: `${what}: ${value.toFixed(2)} CPU-seconds per million records, at most ${most}${remark}`,
  passed: value <= most,
});

const ratio = (few: Measurement | undefined, many: Measurement): string =>
  few === undefined ? "" : ` (${(many.cpuSecondsPerMillion / few.cpuSecondsPerMillion).toFixed(2)} × 100 customers)`;
