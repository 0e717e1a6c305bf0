import { Clock, Effect } from "effect";
import { Owner } from "../actors/owner.ts";
import { Backlogs } from "../actors/ports/backlogs.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import { KillSwitches } from "../actors/ports/kill-switches.ts";
import { Outbox } from "../actors/ports/outbox.ts";
import { Replays } from "../actors/replay/replays.ts";
import type { Limits } from "../domain/limits.ts";
import { watchStreamFill } from "../streams/stream-fill.ts";
import { auditStream, configStream, deadStream } from "../streams/subjects.ts";

export interface LimitUsesOptions {
  readonly limits: Limits;
  readonly requestBytes: () => number;
}

/** What one walk over all buffers finds out. */
interface Walked {
  readonly residents: number;
  readonly windowBytes: number;
  readonly largestWindowBytes: number;
  readonly largestBacklogBytes: number;
  readonly oldestMillis: number;
  readonly backoffMillis: number;
  readonly crashes: number;
}

/** A walk is good for so long: several limits are measured by the same. */
const walkMillis = 500;

/**
 * How much of each limit is in use, as far as it can be measured now, by the limit's name. The others bound single
 * things that are over as soon as they have happened (a request's size, a delay), and are left out.
 */
export const makeLimitUses = Effect.fnUntraced(function* ({ limits, requestBytes }: LimitUsesOptions) {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  const outbox = yield* Outbox;
  const backlogs = yield* Backlogs;
  const replays = yield* Replays;
  const switches = yield* KillSwitches;
  const fillOf = yield* watchStreamFill([auditStream, configStream, deadStream]);
  const clock = yield* Clock.Clock;
  let walked = { atMillis: Number.NEGATIVE_INFINITY, found: walk(owner) };
  const buffers = (): Walked => {
    const now = clock.currentTimeMillisUnsafe();
    if (now - walked.atMillis >= walkMillis || now < walked.atMillis) walked = { atMillis: now, found: walk(owner) };
    return walked.found;
  };
  /** The highest over the partitions that anybody has told of. */
  const highest = (of: (report: Report) => number): number => {
    let most = 0;
    for (let partition = 0; partition < backlogs.partitions; partition++) {
      const latest = backlogs.latest(partition);
      if (latest !== undefined) most = Math.max(most, of(latest.report));
    }
    return most;
  };
  const secondsSince = (millis: number | undefined): number =>
    millis === undefined ? 0 : Math.max(0, Math.round((clock.currentTimeMillisUnsafe() - millis) / 1_000));
  const logPercent = (bytes: number): number => Math.round((bytes * 1_000) / limits.logBytesMax) / 10;

  return {
    outboxBytesMax: outbox.bytes,
    requestsInFlightBytesMax: requestBytes,
    jobsMax: () => jobs.served().byId.size,
    memoryBytesMax: () => process.memoryUsage.rss(),
    residentBuffersMax: () => owner.residency.size,
    windowBytesMax: () => buffers().windowBytes,
    bufferWindowBytesMax: () => buffers().largestWindowBytes,
    backlogBytesPerCustomerMax: () => buffers().largestBacklogBytes,
    backlogAgeSecondsMax: () => (buffers().residents === 0 ? 0 : secondsSince(finite(buffers().oldestMillis))),
    retryMillisMax: () => buffers().backoffMillis,
    quarantineCrashesMax: () => buffers().crashes,
    killSwitchesMax: () => switches.current().all.length,
    replaysMax: () => replays.list().filter(({ state }) => state === "running").length,
    logBytesMax: () => highest(({ logBytes }) => logBytes),
    logMaxAgeSeconds: () => highest(({ oldestMillis }) => secondsSince(oldestMillis)),
    // Those that refuse when they are full. In bytes of the setting, whatever the stream's own bound is by now.
    auditBytesMax: () => Math.round(fillOf(auditStream) * limits.auditBytesMax),
    configBytesMax: () => Math.round(fillOf(configStream) * limits.configBytesMax),
    deadLetterBytesMax: () => Math.round(fillOf(deadStream) * limits.deadLetterBytesMax),
    unscannedPercentMax: () => highest(({ unscannedBytes }) => logPercent(unscannedBytes)),
  } satisfies Record<string, () => number>;
});

/** Each limit that is measured. */
export type LimitUses = Effect.Success<ReturnType<typeof makeLimitUses>>;

type Report = NonNullable<ReturnType<Backlogs["Service"]["latest"]>>["report"];

const finite = (millis: number): number | undefined => (Number.isFinite(millis) ? millis : undefined);

const walk = (owner: Owner["Service"]): Walked => {
  const backlogs = new Map<string, number>();
  let residents = 0;
  let windowBytes = 0;
  let largestWindowBytes = 0;
  let oldestMillis = Number.POSITIVE_INFINITY;
  let backoffMillis = 0;
  let crashes = 0;
  for (const { state } of owner.owned().values()) {
    for (const buffer of state.buffers.values()) {
      const { customer } = buffer.newest.job;
      const held = buffer.window.bytes();
      residents += 1;
      windowBytes += held;
      largestWindowBytes = Math.max(largestWindowBytes, held);
      oldestMillis = Math.min(oldestMillis, buffer.pendingSinceMillis ?? oldestMillis);
      backoffMillis = Math.max(backoffMillis, buffer.actor?.context().backoffMillis ?? 0);
      crashes = Math.max(crashes, buffer.crashes);
      if (buffer.ledger.pendingBytes > 0) {
        backlogs.set(customer, (backlogs.get(customer) ?? 0) + buffer.ledger.pendingBytes);
      }
    }
  }
  const largestBacklogBytes = [...backlogs.values()].reduce((most, bytes) => Math.max(most, bytes), 0);
  return { residents, windowBytes, largestWindowBytes, largestBacklogBytes, oldestMillis, backoffMillis, crashes };
};
