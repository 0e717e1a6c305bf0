/** Deciding where a customer's dataset is stored. The partition count is fixed when the streams are created. */

/** FNV-1a, 32 bits, over the UTF-8 bytes of `text` (ids are ASCII, so one char code is one byte). */
export const fnv1a32 = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i) & 0xff;
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
};

/**
 * Spread over all bits, to be cut to the upper ones: the hash's own differ too little among names that end in running
 * numbers.
 */
export const mixed = (hash: number): number => Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);

/** What NATS's `{{partition(n,1,2)}}` subject mapping computes: the tokens joined without a separator, modulo `n`. */
export const partitionOf = (customer: string, dataset: string, partitions: number): number =>
  fnv1a32(customer + dataset) % partitions;

/** `7` → `007`: the `<ppp>` of subjects and stream names. */
export const partitionName = (partition: number): string => String(partition).padStart(3, "0");

/** A customer and one of its datasets: the unit that forwarders group by and that push jobs match. */
export interface Pair {
  readonly customer: string;
  readonly dataset: string;
  /** `customer.dataset`: the key of every map by pair, and the tail of the LOG subject. */
  readonly key: string;
  readonly partition: number;
}

/** The key of a pair. A dot cannot occur in an id, so keys never collide. */
export const pairKey = (customer: string, dataset: string): string => `${customer}.${dataset}`;

export const makePair = (customer: string, dataset: string, partitions: number): Pair => ({
  customer,
  dataset,
  key: pairKey(customer, dataset),
  partition: partitionOf(customer, dataset, partitions),
});
