import { Effect } from "effect";
import type { LogInfo } from "../ports/log.ts";
import type { PartitionState } from "./partition-state.ts";
import { lastSequenceBefore, millisAt } from "./sequence-at.ts";
import { writeOff, type WriteOffOptions } from "./write-off.ts";

export interface ExpiryOptions extends WriteOffOptions {
  readonly logMaxAgeSeconds: number;
  readonly logBytesMax: number;
  /** Share of age and bytes of the log that undelivered records may use. */
  readonly expiryPercent: number;
}

/**
 * Gives up what JetStream is about to discard, and by its own limits soon would without telling: what is older, or
 * further back, than `expiryPercent` of the log's limits. All buffers with anything there, whether they deliver or not.
 * What has left the log all the same is booked here too.
 *
 * @param info of the leader, fresh
 * @param nowMillis the server's clock: ages are judged by it, not by ours
 */
export const expire = Effect.fnUntraced(function* (
  state: PartitionState,
  info: LogInfo,
  nowMillis: number,
  options: ExpiryOptions,
) {
  const pending = [...state.buffers.values()].filter(({ ledger }) => ledger.pendingRecords > 0);
  if (pending.length === 0) return [];
  const lowest = pending.reduce((low, { cursor }) => Math.min(low, cursor), Number.MAX_SAFE_INTEGER);
  const from = Math.max(lowest + 1, info.firstSequence);
  const to = Math.max(
    info.firstSequence - 1,
    expiredBySize(info, options),
    from > state.position ? 0 : yield* expiredByAge(state, nowMillis, from, options),
  );
  const targets = pending
    .filter(({ cursor }) => cursor < Math.min(to, state.position))
    .map((buffer) => ({ buffer, to, account: "expired" as const, reason: "expired" as const }));
  return yield* writeOff(state, targets, options);
});

/**
 * When something is given up, more than needed at the moment: otherwise a destination that is dead for a day would get
 * a receipt every few seconds. A fifth of what the log has left above the limit.
 */
const triggerPercent = ({ expiryPercent }: ExpiryOptions): number => expiryPercent + (100 - expiryPercent) / 5;

const expiredByAge = Effect.fnUntraced(function* (
  state: PartitionState,
  nowMillis: number,
  from: number,
  options: ExpiryOptions,
) {
  const before = (percent: number): number => nowMillis - options.logMaxAgeSeconds * 10 * percent;
  const oldest = yield* millisAt(state.partition, from);
  if (oldest === undefined || oldest >= before(triggerPercent(options))) return 0;
  return yield* lastSequenceBefore(state.partition, before(options.expiryPercent), from, state.position);
});

const expiredBySize = (info: LogInfo, options: ExpiryOptions): number => {
  const { expiryPercent, logBytesMax } = options;
  if (info.bytes <= (logBytesMax * triggerPercent(options)) / 100) return 0;
  return oldestOf(info, info.bytes - (logBytesMax * expiryPercent) / 100);
};

/** The last of the oldest messages that hold about so many bytes. */
export const oldestOf = ({ bytes, firstSequence, lastSequence }: LogInfo, wanted: number): number =>
  firstSequence - 1 + Math.ceil((wanted * (lastSequence - firstSequence + 1)) / Math.max(1, bytes));
