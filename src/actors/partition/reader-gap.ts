import type { Buffer } from "../buffer/buffer.ts";
import type { PartitionState } from "./partition-state.ts";

/**
 * Messages were lost before the reader came to them: nobody has counted them, but their forwarder's running numbers say
 * how many records they held. Whose these were is known when only one pair of this partition has push jobs: then each
 * of its jobs gets the loss into its books and a receipt. Uncompressed bytes are not known: 0.
 *
 * @param before the reader's position before the gap
 * @returns whether anybody could be told
 */
export const bookUnread = (
  state: PartitionState,
  before: number,
  sequence: number,
  records: number,
  millis: number,
): boolean => {
  const buffers = [...state.buffers.values()];
  const pairs = new Set(buffers.map(({ pairKey }) => pairKey));
  if (pairs.size !== 1 || records === 0) return false;
  // A row that counts further than this reader had come has some of it in its books already.
  const ignorant = buffers.filter(({ countedBefore, start }) => countedBefore <= before && start <= before);
  for (const buffer of ignorant)
    book(state, buffer, { firstSequence: before + 1, lastSequence: sequence - 1 }, records, millis);
  return ignorant.length === buffers.length;
};

const book = (
  state: PartitionState,
  buffer: Buffer,
  range: { readonly firstSequence: number; readonly lastSequence: number },
  records: number,
  millis: number,
): void => {
  const { customer, dataset } = buffer.newest.job;
  buffer.ledger.accept(records, 0);
  buffer.ledger.writeOff("expired", records, 0);
  buffer.beUrgent();
  state.receipts.push({ customer, dataset, job: buffer.jobId, ...range, records, bytes: 0, reason: "expired", millis });
};
