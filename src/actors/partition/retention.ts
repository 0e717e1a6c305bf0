import { Clock, Effect } from "effect";
import { Log, type LogInfo, type LogUnavailable } from "../ports/log.ts";
import { expire, type ExpiryOptions } from "./expiry.ts";
import type { PartitionState } from "./partition-state.ts";
import { steadyMillis } from "../runtime/steady-clock.ts";
import { purge, type PurgeOptions } from "./purge.ts";
import { isShedding, shed, type SheddingOptions } from "./shedding.ts";

export interface RetentionOptions extends ExpiryOptions, PurgeOptions, SheddingOptions {}

/** Between two rounds: of a silent partition, of one that is read or sheds, of one that fills fast. */
const roundMillis = { idle: 5_000, busy: 1_000, filling: 250 };
/** The share of the log's bytes that makes a round between two others necessary, when it came since the last one. */
const fillingShare = 0.02;

/**
 * What ends undelivered, and what makes room: settled records are purged first, then the oldest of overloaded buffers
 * are shed, and what is about to outlive the log expires. Round after round, as long as the partition is owned.
 */
export const retentionLoop = (state: PartitionState, options: RetentionOptions): Effect.Effect<never, never, Log> =>
  Effect.gen(function* () {
    while (true) {
      const before = { info: state.log, position: state.position };
      const info = yield* retain(state, options).pipe(
        Effect.catchTag("LogUnavailable", ({ detail }) =>
          Effect.as(Effect.logWarning("The log's retention waits.", { partition: state.partition, detail }), undefined),
        ),
      );
      yield* Effect.sleep(pauseMillis(state, before, info, options));
    }
  });

const pauseMillis = (
  state: PartitionState,
  before: { readonly info: LogInfo | undefined; readonly position: number },
  info: LogInfo | undefined,
  options: RetentionOptions,
): number => {
  const grown = (info?.bytes ?? 0) - (before.info?.bytes ?? 0);
  if (grown > options.logBytesMax * fillingShare) return roundMillis.filling;
  // A log that keeps records for a minute has no five seconds to lose.
  const most = Math.min(roundMillis.idle, Math.max(roundMillis.filling, options.logMaxAgeSeconds * 10));
  if (state.position === before.position && ![...state.buffers.values()].some(isShedding)) return most;
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
