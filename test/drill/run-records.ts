import type { Drill } from "../../src/drill/drill.ts";
import type { RunRecord } from "../../src/drill/record/figures.ts";
import { figuresOf } from "../../src/drill/record/figures.ts";
import type { Sample } from "../../src/drill/record/sample.ts";
import { judge } from "../../src/drill/record/verdict.ts";
import type { DrillRun } from "../../src/drill/conclude.ts";
import { slowDestinations } from "../../src/drill/drills/slow-destinations.ts";
import type { Arrived, Offered, PhaseLag } from "../../src/drill/traffic/messages.ts";

/** Runs that never took place: 10 s of baseline, 10 s of fault, 10 s of recovery. */

export const startedMillis = 1_000_000_000;

export const aDrill: Drill = slowDestinations;
const [baseline, fault, recovery] = aDrill.phases.map(({ name }) => name) as [string, string, string];

export const sampleAt = (seconds: number, over: Partial<Sample> = {}): Sample => ({
  seconds,
  toldSeconds: seconds,
  phase: seconds < 10 ? baseline : seconds < 20 ? fault : recovery,
  offered: seconds * 100,
  acknowledged: seconds * 100,
  delivered: Math.max(0, seconds - 1) * 100,
  requestsRefused: 0,
  gaveUp: 0,
  unconfigured: 0,
  buffers: 2,
  admission: 0,
  pending: 100,
  unexplained: 0,
  alerts: [],
  firing: [],
  silent: [],
  isReady: true,
  armed: [],
  uses: new Map(),
  highWaters: new Map(),
  metrics: new Map([["spillway_admission_state", 0]]),
  ...over,
});

export const offered = (customer: string, records: number, notAcknowledged: Offered["notAcknowledged"] = []) => ({
  customer,
  records,
  notAcknowledged,
});

export const arrived = (customer: string, delivered: number, deliveredNotAcknowledged = 0): Arrived => ({
  customer,
  delivered,
  deliveredNotAcknowledged,
});

/** @param p99 of baseline, fault and recovery; @param last arrivals, in seconds since the start */
export const lags = (
  p99: readonly [number | null, number | null, number | null],
  last: readonly [number, number, number] = [11, 21, 31],
): ReadonlyArray<PhaseLag> =>
  [baseline, fault, recovery].map((phase, at) => ({
    phase,
    records: 1_000,
    p50Millis: p99[at] ?? null,
    p99Millis: p99[at] ?? null,
    lastArrivalMillis: startedMillis + last[at]! * 1_000,
  }));

/** Two customers with 1,500 records each, all of them delivered. */
export const recordOf = (over: Partial<RunRecord> = {}): RunRecord => ({
  drill: aDrill,
  world: "embedded",
  guardsOff: [],
  steady: ["steady"],
  offered: [offered("steady", 1_500), offered("hurt", 1_500)],
  offerCounts: {
    offered: 3_000,
    acknowledged: 3_000,
    unconfigured: 0,
    gaveUp: 0,
    requestsRefused: 0,
    requestsFailed: 0,
    strangers: { offered: 0, accepted: 0, unconfigured: 0 },
  },
  offeredAt: new Map([
    [1_000_000, 100],
    [1_000_001, 100],
  ]),
  reckoning: {
    type: "reckoning",
    counts: { delivered: 3_000, duplicates: 0, misdelivered: 0, strangersDelivered: 0, batches: 60 },
    arrived: [arrived("steady", 1_500), arrived("hurt", 1_500)],
    deliveredAt: new Map([
      [1_000_000, 100],
      [1_000_001, 100],
    ]),
    lags: lags([1_000, 1_100, 1_050]),
    movedMillis: null,
  },
  samples: Array.from({ length: 31 }, (_, at) => sampleAt(at)),
  phaseStarts: [
    { name: baseline, seconds: 0 },
    { name: fault, seconds: 10 },
    { name: recovery, seconds: 20 },
  ],
  startedMillis,
  seconds: 31,
  booked: { deadLettered: 0, givenUp: 0 },
  buffersLimit: 1_000,
  ended: [],
  ...over,
});

export const runOf = (over: Partial<RunRecord> = {}): DrillRun => {
  const record = recordOf(over);
  const figures = figuresOf(record);
  return { record, figures, bars: judge(record.drill, figures), exercised: ["circuitFailuresMax"], problems: [] };
};
