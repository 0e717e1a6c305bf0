import { Clock, Effect } from "effect";
import { Log, type LogInfo, type LogUnavailable } from "../ports/log.ts";
import { LogGrowth } from "./backlog-reporter.ts";
import { expire, type ExpiryOptions } from "./expiry.ts";
import type { PartitionState } from "./partition-state.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { purge, type PurgeOptions } from "./purge.ts";
import { isShedding, shed, type SheddingOptions } from "./shedding.ts";

export interface RetentionOptions extends ExpiryOptions, PurgeOptions, SheddingOptions {}

/** Between two rounds: of a silent partition, of one that is read or sheds, of one that fills fast. */
const roundMillis = { idle: 5_000, busy: 1_000, filling: 250 };
/** The share of the log's bytes that may come between two rounds: a quarter of what is left when the oldest expire. */
const fillingShare = 0.02;

/**
 * What ends undelivered, and what makes room: settled records are purged first, then the oldest of overloaded buffers
 * are shed, and what is about to outlive the log expires. Round after round, as long as the partition is owned.
 */
export const retentionLoop = (state: PartitionState, options: RetentionOptions): Effect.Effect<never, never, Log> =>
  Effect.gen(function* () {
    const growth = new LogGrowth();
    let before = { position: state.position, bytes: state.log === undefined ? 0 : growth.seen(state.log), millis: 0 };
    while (true) {
      const { position } = state;
      const millis = yield* steadyMillis;
      const info = yield* retain(state, options).pipe(
        Effect.catchTag("LogUnavailable", ({ detail }) =>
          Effect.as(Effect.logWarning("The log's retention waits.", { partition: state.partition, detail }), undefined),
        ),
      );
      const bytes = info === undefined ? before.bytes : growth.seen(info);
      const perMilli = (bytes - before.bytes) / Math.max(1, millis - before.millis);
      yield* Effect.sleep(pauseMillis(state, before.position, perMilli, options));
      before = { position, bytes, millis };
    }
  });

/** @param perMilli bytes by which the log has grown in a millisecond */
const pauseMillis = (
  state: PartitionState,
  positionBefore: number,
  perMilli: number,
  options: RetentionOptions,
): number => {
  const fillingMillis = perMilli > 0 ? (options.logBytesMax * fillingShare) / perMilli : roundMillis.idle;
  // A log that keeps records for a minute has no five seconds to lose.
  const shortest = Math.min(roundMillis.idle, options.logMaxAgeSeconds * 10, fillingMillis);
  const most = Math.max(roundMillis.filling, shortest);
  if (state.position === positionBefore && ![...state.buffers.values()].some(isShedding)) return most;
  return Math.min(roundMillis.busy, most);
};

/** One round. */
export const retain = Effect.fnUntraced(function* (
  state: PartitionState,
  options: RetentionOptions,
): Effect.fn.Return<LogInfo, LogUnavailable, Log> {
  const log = yield* Log;
  const described = yield* log.describe(state.partition);
  state.log = described;
  // The first answer after the claim: by now the owner before can push no more.
  if (state.doubtTo === Number.MAX_SAFE_INTEGER) state.doubtTo = described.lastSequence;
  state.clock.see(described.nowMillis, yield* steadyMillis);
  const nowMillis = described.nowMillis ?? (yield* Clock.currentTimeMillis);
  const purged = yield* purge(state, described, nowMillis, options);
  // What was purged was settled: the bytes that are left tell whether anything unsettled has to go.
  const info = purged === 0 ? described : yield* log.describe(state.partition);
  state.log = info;
  yield* shed(state, info, nowMillis, options);
  yield* expire(state, info, nowMillis, options);
  return info;
});
