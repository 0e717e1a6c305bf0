import { Clock, Effect, Metric } from "effect";
import { Owner } from "../actors/owner.ts";
import { AlertSignals, type Reading } from "../actors/ports/alert-signals.ts";
import { briefOf, Jobs } from "../actors/ports/jobs.ts";
import { admissionStates, NodeAdmission } from "../actors/ports/node-admission.ts";
import type { AlertRule } from "../domain/alert-rule.ts";
import type { Limits } from "../domain/limits.ts";
import { AlertReadings, isTold } from "../observability/alert-readings.ts";
import { configUnsaved } from "../observability/config-metrics.ts";
import { LossesBefore, lostInAll, unwantedInAll } from "../observability/losses.ts";
import { storeNames, storeNotOpen } from "../observability/store-metrics.ts";
import { absentJobReading } from "./absent-job-reading.ts";
import type { LimitUses } from "./limit-uses.ts";
import { factsOfRow, factsOfWaiting, isJobSignal } from "./job-facts.ts";
import { JobFindings } from "./job-findings.ts";

export interface AlertSignalsOptions {
  readonly rules: ReadonlyArray<AlertRule>;
  readonly limits: Limits;
  /** How much of a limit is in use, by its name. */
  readonly uses: Readonly<Record<string, () => number>>;
}

/** Limits that mean trouble when they are nearly used up. Others are there to be used, as the windows' budget is. */
const scarce: ReadonlyArray<keyof Limits & keyof LimitUses> = [
  "outboxBytesMax",
  "requestsInFlightBytesMax",
  "jobsMax",
  "memoryBytesMax",
  "residentBuffersMax",
  "backlogBytesPerCustomerMax",
  "backlogAgeSecondsMax",
  "logBytesMax",
  "unscannedPercentMax",
  "auditBytesMax",
  "configBytesMax",
  "deadLetterBytesMax",
];

/** What is found by looking at every buffer is good for so long. */
const walkMillis = 4_000;
/** Buffers between two looks at the event loop. */
const sliceBuffers = 1_000;
/** Rows of those that wait for a place, the next first: each is decoded for it. */
const rowsLookedAt = 2_000;

/** What this node knows, and what it was told. A read costs nothing but for a walk over all buffers now and then. */
export const makeAlertSignals = Effect.fnUntraced(function* (options: AlertSignalsOptions) {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  const admission = yield* NodeAdmission;
  const told = yield* AlertReadings;
  const before = yield* LossesBefore;
  const lost = sinceLastLook(lostInAll, before.lost);
  const unwanted = sinceLastLook(unwantedInAll, before.unwanted);
  const states = () => [...owner.owned().values()].map(({ state }) => state);
  const walk = Effect.fnUntraced(function* () {
    const found = new JobFindings(options, yield* Clock.currentTimeMillis);
    const set = jobs.served();
    const isEnabled = (job: string) => briefOf(set, job)?.enabled === true;
    let looked = 0;
    const breathe = Effect.suspend(() => (++looked % sliceBuffers === 0 ? Effect.yieldNow : Effect.void));
    let rows = rowsLookedAt;
    for (const state of states()) {
      for (const buffer of state.buffers.values()) {
        found.look(buffer);
        yield* breathe;
      }
      for (const waiting of state.waitingBuffers.values()) {
        if (isEnabled(waiting.jobId)) found.judge(factsOfWaiting(waiting));
        yield* breathe;
      }
      for (const job of state.waiting.keys()) {
        if (rows <= 0) break;
        const row = state.waitingBuffers.has(job) || !isEnabled(job) ? undefined : state.rows.get(job);
        if (row === undefined) continue;
        rows -= 1;
        found.judge(factsOfRow(row));
        yield* breathe;
      }
    }
    return found.readings();
  });
  const walked = yield* Effect.cachedWithTTL(walk(), walkMillis);
  return AlertSignals.of({
    read: Effect.gen(function* () {
      const { list, unlisted } = yield* walked;
      const now: ReadonlyArray<Reading> = [
        { signal: "admissionState", labels: {}, value: admissionStates.indexOf(admission.state()) },
        { signal: "recordsLost", labels: {}, value: yield* lost },
        { signal: "recordsUnwanted", labels: {}, value: yield* unwanted },
        { signal: "lastKnownGoodUnsaved", labels: {}, value: yield* valueOf(configUnsaved) },
        ...(yield* storesNotOpen),
      ];
      const nowMillis = yield* Clock.currentTimeMillis;
      return {
        list: [...list, ...limitReadings(options), ...now, ...told.list()],
        unlisted,
        absent: (signal, labels) => {
          if (isTold(signal)) return told.isForgotten(signal, labels) ? "unknown" : 0;
          if (!isJobSignal(signal)) return 0;
          return absentJobReading(states(), jobs.served(), signal, labels, { ...options, nowMillis });
        },
      };
    }),
  });
});

const valueOf = (gauge: Metric.Metric<number, Metric.GaugeState<number>>) =>
  Effect.map(Metric.value(gauge), ({ value }) => value);

const storesNotOpen = Effect.forEach(storeNames, (store) =>
  Effect.map(valueOf(storeNotOpen(store)), (value): Reading => ({ signal: "storeNotOpen", labels: { store }, value })),
);

/** How much of it there is more than when it was asked last. */
const sinceLastLook = (inAll: Effect.Effect<number>, atFirst: number) => {
  let before = atFirst;
  return Effect.map(inAll, (now) => {
    const since = now - before;
    before = now;
    return since;
  });
};

const limitReadings = ({ limits, uses }: AlertSignalsOptions): ReadonlyArray<Reading> =>
  scarce.flatMap((limit) => {
    const use = uses[limit]?.();
    if (use === undefined || limits[limit] === 0) return [];
    return [{ signal: "limitPercent", labels: { limit }, value: Math.round((use * 100) / limits[limit]) }];
  });
