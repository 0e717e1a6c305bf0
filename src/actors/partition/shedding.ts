import { Effect } from "effect";
import type { Buffer } from "../buffer/buffer.ts";
import type { LogInfo } from "../ports/log.ts";
import type { PartitionState } from "./partition-state.ts";
import { lastSequenceBefore } from "./sequence-at.ts";
import { writeOff, type WriteOffOptions, type WriteOffTarget } from "./write-off.ts";

export interface SheddingOptions extends WriteOffOptions {
  readonly backlogBytesPerCustomerMax: number;
  readonly backlogAgeSecondsMax: number;
  /** A backlog that is over its quota is brought down to this share of it. */
  readonly backlogEasedPercent: number;
  /** Uncompressed bytes that this node has pending of a customer, all partitions; absent: only this partition's. */
  readonly pendingBytesOf?: (customer: string) => number;
}

/**
 * Gives up the oldest of buffers that are over their quota and said to do so, down to where the quota is eased. Who is
 * over its quota is decided elsewhere, and told to the buffer; so is that it no longer is.
 */
export const shed = Effect.fnUntraced(function* (
  state: PartitionState,
  info: LogInfo,
  nowMillis: number,
  options: SheddingOptions,
) {
  const shedding = [...state.buffers.values()].filter(isShedding);
  if (shedding.length === 0) return [];
  const oldest = nowMillis - options.backlogAgeSecondsMax * 10 * options.backlogEasedPercent;
  const lowest = shedding.reduce((low, { cursor }) => Math.min(low, cursor), Number.MAX_SAFE_INTEGER);
  const from = Math.max(lowest + 1, info.firstSequence);
  const tooOld = from > state.position ? 0 : yield* lastSequenceBefore(state.partition, oldest, from, state.position);
  const targets = [...Map.groupBy(shedding, (buffer) => buffer.newest.job.customer)].flatMap(([customer, buffers]) => {
    const all = options.pendingBytesOf?.(customer) ?? pendingBytes(pendingOf(state, customer));
    const over = all - (options.backlogBytesPerCustomerMax * options.backlogEasedPercent) / 100;
    return buffers.flatMap((buffer) => targetsOf(state, buffer, over / all, tooOld));
  });
  return yield* writeOff(state, targets, options);
});

/** What is too old goes; of what is left, each buffer of the customer gives its share of what is too much. */
const targetsOf = (
  state: PartitionState,
  buffer: Buffer,
  overShare: number,
  tooOld: number,
): ReadonlyArray<WriteOffTarget> => {
  const target = { buffer, account: "shed", reason: "shed" } as const;
  if (overShare > 0) {
    const bytes = Math.ceil(buffer.ledger.pendingBytes * Math.min(1, overShare));
    return [{ ...target, to: state.position, bytes }];
  }
  return tooOld > buffer.cursor ? [{ ...target, to: tooOld }] : [];
};

export const isShedding = ({ actor, ledger }: Buffer): boolean =>
  ledger.pendingRecords > 0 && actor?.flow() === "overloaded.shedOldest";

const pendingOf = (state: PartitionState, customer: string): ReadonlyArray<Buffer> =>
  [...state.buffers.values()].filter(({ newest }) => newest.job.customer === customer);

const pendingBytes = (buffers: ReadonlyArray<Buffer>): number =>
  buffers.reduce((sum, { ledger }) => sum + ledger.pendingBytes, 0);
