import { Clock, Effect, Metric } from "effect";
import type { Buffer } from "../actors/buffer/buffer.ts";
import { Owner } from "../actors/owner.ts";
import { AlertSignals, type Reading, type Readings } from "../actors/ports/alert-signals.ts";
import { admissionStates, NodeAdmission } from "../actors/ports/node-admission.ts";
import { type AlertRule, type AlertSignal, isBreached } from "../domain/alert-rule.ts";
import { unexplained } from "../domain/books.ts";
import type { Limits } from "../domain/limits.ts";
import { AlertReadings } from "../observability/alert-readings.ts";
import { configUnsaved } from "../observability/config-metrics.ts";
import { recordsMissingTotal } from "../observability/delivery-metrics.ts";
import { notServedTotal } from "../observability/ingest-metrics.ts";
import { storeNames, storeNotOpen } from "../observability/store-metrics.ts";
import { recordsWrittenOff } from "../observability/sweep-metrics.ts";
import { WorstFew } from "./worst-few.ts";

export interface AlertSignalsOptions {
  readonly rules: ReadonlyArray<AlertRule>;
  readonly limits: Limits;
  /** How much of a limit is in use, by its name. */
  readonly uses: Readonly<Record<string, () => number>>;
}

/** Receipts of records that nobody gave up on purpose. */
export const lossReasons = ["expired", "shed", "logLost", "unclaimed"] as const;

/** Limits that mean trouble when they are nearly used up. Others are there to be used, as the windows' budget is. */
const scarce: ReadonlyArray<keyof Limits> = [
  "outboxBytesMax",
  "requestsInFlightBytesMax",
  "jobsMax",
  "memoryBytesMax",
  "residentBuffersMax",
  "backlogBytesPerCustomerMax",
  "backlogAgeSecondsMax",
  "logBytesMax",
  "unscannedPercentMax",
];

/** What is found by looking at every buffer is good for so long. */
const walkMillis = 4_000;
/** Buffers between two looks at the event loop. */
const sliceBuffers = 1_000;

/** What this node knows, and what it was told. A read costs nothing but for a walk over all buffers now and then. */
export const makeAlertSignals = Effect.fnUntraced(function* (options: AlertSignalsOptions) {
  const owner = yield* Owner;
  const admission = yield* NodeAdmission;
  const told = yield* AlertReadings;
  const lost = yield* sinceLastLook(lostInAll);
  const unwanted = yield* sinceLastLook(unwantedInAll);
  const walk = Effect.fnUntraced(function* () {
    const nowMillis = yield* Clock.currentTimeMillis;
    const found = makeFound(options, nowMillis);
    let looked = 0;
    for (const { state } of owner.owned().values()) {
      for (const buffer of state.buffers.values()) {
        found.look(buffer);
        if (++looked % sliceBuffers === 0) yield* Effect.yieldNow;
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
      return { list: [...list, ...now, ...told.list()], unlisted };
    }),
  });
});

const lostInAll = Effect.gen(function* () {
  let records = (yield* Metric.value(recordsMissingTotal)).count;
  for (const reason of lossReasons) records += (yield* Metric.value(recordsWrittenOff(reason))).count;
  return records;
});

const valueOf = (gauge: Metric.Metric<number, Metric.GaugeState<number>>) =>
  Effect.map(Metric.value(gauge), ({ value }) => value);

const storesNotOpen = Effect.forEach(storeNames, (store) =>
  Effect.map(valueOf(storeNotOpen(store)), (value): Reading => ({ signal: "storeNotOpen", labels: { store }, value })),
);

const unwantedInAll = Effect.map(Metric.value(notServedTotal), ({ count }) => count);

/** How much of it there is more than when it was asked last. */
const sinceLastLook = (inAll: Effect.Effect<number>) =>
  Effect.map(inAll, (atFirst) => {
    let before = atFirst;
    return Effect.map(inAll, (now) => {
      const since = now - before;
      before = now;
      return since;
    });
  });

const makeFound = ({ limits, rules, uses }: AlertSignalsOptions, nowMillis: number) => {
  const most = limits.alertsPerRuleMax * 2;
  const worst = (signal: AlertSignal) => {
    const few = new WorstFew<Buffer>(most);
    const own = rules.filter((rule) => rule.signal === signal);
    return {
      signal,
      few,
      add: (value: number, buffer: Buffer) =>
        few.add(
          value,
          own.some((rule) => isBreached(rule, value)),
          buffer,
        ),
    };
  };
  const suspended = worst("jobSuspended");
  const lagging = worst("jobLagPercent");
  const silent = worst("jobSilentSeconds");
  let unexplainedRecords = 0;

  const look = (buffer: Buffer): void => {
    // A surplus of one job must not hide what another one lacks.
    unexplainedRecords += Math.abs(unexplained(buffer.ledger.books()).records);
    if (!buffer.newest.job.enabled) return;
    const delivery = buffer.actor?.delivery();
    suspended.add(delivery === "suspended" || delivery === "quarantined" ? 1 : 0, buffer);
    const { lastSuccessMillis, ledger, pendingSinceMillis } = buffer;
    if (pendingSinceMillis === undefined || ledger.pendingRecords === 0) return;
    const ageSeconds = Math.max(0, nowMillis - pendingSinceMillis) / 1_000;
    const age = ageSeconds / limits.backlogAgeSecondsMax;
    const bytes = ledger.pendingBytes / limits.backlogBytesPerCustomerMax;
    lagging.add(Math.round(Math.max(age, bytes) * 100), buffer);
    const sinceMillis = Math.max(pendingSinceMillis, lastSuccessMillis ?? 0);
    silent.add(Math.round(Math.max(0, nowMillis - sinceMillis) / 1_000), buffer);
  };

  const readings = (): Readings => {
    const all = [suspended, lagging, silent];
    const ofJobs = all.flatMap(({ few, signal }) =>
      few.list().map(({ of: { newest }, value }) => ({
        signal,
        labels: { job: newest.job.id, customer: newest.job.customer },
        value,
      })),
    );
    return {
      list: [
        ...ofJobs,
        ...limitReadings(limits, uses),
        { signal: "unexplainedRecords", labels: {}, value: unexplainedRecords },
      ],
      unlisted: new Map(all.map(({ few, signal }) => [signal, few.unlisted()] as const)),
    };
  };
  return { look, readings };
};

const limitReadings = (limits: Limits, uses: AlertSignalsOptions["uses"]): ReadonlyArray<Reading> =>
  scarce.flatMap((limit) => {
    const use = uses[limit]?.();
    if (use === undefined || limits[limit] === 0) return [];
    return [{ signal: "limitPercent", labels: { limit }, value: Math.round((use * 100) / limits[limit]) }];
  });
