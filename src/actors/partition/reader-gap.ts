import { Buffer } from "../buffer/buffer.ts";
import { briefsOf } from "../ports/jobs.ts";
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
  const pairKey = records === 0 ? undefined : onlyPairOf(state);
  if (pairKey === undefined) return false;
  // Those that hibernate wake: it is their books.
  const buffers = state.dealtTo(pairKey, before + 1).filter((each) => each instanceof Buffer);
  // A row that counts further than this reader had come has some of it in its books already.
  const ignorant = buffers.filter(({ countedBefore, start }) => countedBefore <= before && start <= before);
  for (const buffer of ignorant)
    book(state, buffer, { firstSequence: before + 1, lastSequence: sequence - 1 }, records, millis);
  return ignorant.length === buffers.length;
};

/** The pair that alone has push jobs in this partition. Found out at the second one, however many there are. */
const onlyPairOf = (state: PartitionState): string | undefined => {
  let only: string | undefined;
  for (const buffer of state.buffers.values()) {
    if (only !== undefined && buffer.pairKey !== only) return undefined;
    only = buffer.pairKey;
  }
  for (const [, { pairKey }] of briefsOf(state.jobs)) {
    if (pairKey === only || !state.isOwn(pairKey)) continue;
    if (only !== undefined) return undefined;
    only = pairKey;
  }
  return only;
};

const book = (
  state: PartitionState,
  buffer: Buffer,
  range: { readonly firstSequence: number; readonly lastSequence: number },
  records: number,
  millis: number,
): void => {
  const { customer, dataset } = buffer.newest.job;
  buffer.ledger.loseUnread(records);
  buffer.beUrgent();
  state.receipts.push({ customer, dataset, job: buffer.jobId, ...range, records, bytes: 0, reason: "expired", millis });
};
