import { gunzipSync } from "node:zlib";
import type { Expectation } from "./findings.ts";
import type { ReadBatches, StoredBatch } from "./stored-batch.ts";

export interface CheckOptions {
  readonly customers: ReadonlyArray<{ readonly customer: number; readonly name: string; readonly read: ReadBatches }>;
  readonly expectation: Expectation;
  /** Told after each customer. */
  readonly onProgress?: (customersRead: number) => void;
}

export interface Readings {
  readonly batches: number;
  /** Names of batches that are not gzip, or not to its end. */
  readonly unreadable: ReadonlyArray<string>;
}

/** Reads every batch of every customer from where it was delivered and ticks its records off. */
export const checkDeliveries = async (options: CheckOptions): Promise<Readings> => {
  const unreadable: Array<string> = [];
  let batches = 0;
  let customersRead = 0;
  for (const { customer, name, read } of options.customers) {
    const stored = (await read(name)).toSorted((one, other) => compare(one.order, other.order));
    batches += stored.length;
    for (const content of contentsInOrder(stored, options.expectation, unreadable)) {
      options.expectation.find(customer, content);
    }
    options.onProgress?.(++customersRead);
  }
  return { batches, unreadable };
};

/** Inflates batch by batch; those that share a name but for the hash are ordered by what they begin with. */
function* contentsInOrder(
  stored: ReadonlyArray<StoredBatch>,
  { rank }: Expectation,
  unreadable: Array<string>,
): Generator<Buffer> {
  for (let next = 0; next < stored.length;) {
    const { order } = stored[next] as StoredBatch;
    const tied: Array<Buffer> = [];
    for (; stored[next]?.order === order; next++) {
      const content = inflate(stored[next] as StoredBatch);
      if (content === undefined) unreadable.push((stored[next] as StoredBatch).name);
      else tied.push(content);
    }
    yield* tied.length < 2 ? tied : tied.toSorted((one, other) => rank(one) - rank(other));
  }
}

const inflate = ({ gzip }: StoredBatch): Buffer | undefined => {
  try {
    return gunzipSync(gzip);
  } catch {
    return undefined;
  }
};

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
