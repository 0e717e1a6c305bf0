import { Effect, Metric } from "effect";
import { logPurgedTotal } from "../../observability/sweep-metrics.ts";
import { Log, type LogInfo } from "../ports/log.ts";
import { oldestOf } from "./expiry.ts";
import type { PartitionState } from "./partition-state.ts";
import { lastSequenceBefore } from "./sequence-at.ts";

export interface PurgeOptions {
  readonly logMaxAgeSeconds: number;
  readonly logBytesMax: number;
  /** Settled records make room when the log holds more than this share of its bytes. */
  readonly purgePercent: number;
  /** Settled records are kept for so long at most, to be replayed; at least while there is room for them. */
  readonly replayWindowSecondsMax: number;
}

/** Once room is made, a little more: not for every megabyte. */
const easedPercentPoints = 5;

/**
 * Frees the space of settled records: when the disk share runs short, so that nothing unsettled has to go for them, or
 * when the time for replays is over. Never past the low-water mark that a checkpoint of ours has stored: an owner that
 * was superseded knows none that is higher than what is stored.
 *
 * @returns how many messages went
 */
export const purge = Effect.fnUntraced(function* (
  state: PartitionState,
  info: LogInfo,
  nowMillis: number,
  options: PurgeOptions,
) {
  const settled = Math.min(state.storedLowWater, info.lastSequence);
  // A log that never had a message has none from 0 to 0, of the year 1.
  if (settled < Math.max(1, info.firstSequence)) return 0;
  const to = Math.min(settled, Math.max(bySize(info, options), yield* byAge(state, info, nowMillis, options)));
  if (to < info.firstSequence) return 0;
  const log = yield* Log;
  yield* log.purge(state.partition, to);
  const messages = to - info.firstSequence + 1;
  yield* Metric.update(logPurgedTotal, messages);
  yield* Effect.logInfo("Settled records make room.", { partition: state.partition, upTo: to, messages });
  return messages;
});

const bySize = (info: LogInfo, { logBytesMax, purgePercent }: PurgeOptions): number =>
  info.bytes <= (logBytesMax * purgePercent) / 100
    ? 0
    : oldestOf(info, info.bytes - (logBytesMax * Math.max(0, purgePercent - easedPercentPoints)) / 100);

const byAge = Effect.fnUntraced(function* (
  state: PartitionState,
  info: LogInfo,
  nowMillis: number,
  { logMaxAgeSeconds, replayWindowSecondsMax }: PurgeOptions,
) {
  // JetStream itself removes what is older than the log keeps anything.
  if (replayWindowSecondsMax >= logMaxAgeSeconds || info.firstMillis === undefined) return 0;
  const before = nowMillis - replayWindowSecondsMax * 1_000;
  // Not for every message that gets too old, but when a twentieth of the window has.
  if (info.firstMillis >= before - replayWindowSecondsMax * 50) return 0;
  return yield* lastSequenceBefore(state.partition, before, info.firstSequence, info.lastSequence);
});
