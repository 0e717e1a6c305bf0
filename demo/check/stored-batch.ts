/** One batch as it was found at a destination. */
export interface StoredBatch {
  /** For people. */
  readonly name: string;
  /** Batches of a customer in the order of this are in the order of their delivery, as far as it tells. */
  readonly order: string;
  readonly gzip: Buffer;
}

/** All batches of a customer at one kind of destination. */
export type ReadBatches = (customerName: string) => Promise<ReadonlyArray<StoredBatch>>;

/** `…_<job>_<first>-<last>`: the place in the log, from a batch's id. */
export const orderOfBatchId = (id: string): string => {
  const match = /_(\d+)-(\d+)$/.exec(id);
  return match === null ? id : `${match[1]?.padStart(16, "0")}-${match[2]?.padStart(16, "0")}`;
};

/** `<folders>/<start>_<end>_<hex>.log.gz`: seconds only, so two batches may have the same. */
export const orderOfObjectKey = (key: string): string => {
  const name = key.slice(key.lastIndexOf("/") + 1);
  return name.slice(0, name.lastIndexOf("_"));
};
