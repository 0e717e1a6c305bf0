import type { LogMessage } from "../../src/actors/ports/log.ts";
import type { BatchClosing, BatchLimits } from "../../src/domain/batch.ts";

export interface ReferenceBatch {
  readonly first: number;
  readonly last: number;
  readonly records: number;
  readonly bytes: number;
  readonly closedBy: BatchClosing;
  /** Uncompressed bytes of each chunk, in order. */
  readonly parts: ReadonlyArray<Uint8Array>;
}

export interface Own {
  readonly sequence: number;
  readonly millis: number;
  readonly records: number;
  readonly bytes: number;
  readonly raw: Uint8Array;
}

/** A log as the rules see it: times of all messages, chunks of one push job. */
export interface ReferenceLog {
  readonly messages: ReadonlyArray<Pick<LogMessage, "sequence" | "millis">>;
  readonly own: ReadonlyArray<Own>;
}

/**
 * The rules of DESIGN §3.7, said another way than the window says them: by looking at the whole log at once. The batch
 * after `cursor` is undefined as long as nothing ends it.
 */
export const batchAfter = (
  { messages, own }: ReferenceLog,
  cursor: number,
  limits: BatchLimits,
  cuts: ReadonlyArray<number>,
): ReferenceBatch | undefined => {
  const first = own.find(({ sequence }) => sequence > cursor);
  if (first === undefined) return undefined;
  const overMillis = first.millis + limits.maxIntervalSeconds * 1_000;
  const over = messages.find(
    ({ millis, sequence }) => sequence > first.sequence && (millis >= overMillis || millis < first.millis),
  )?.sequence;
  const cut = cuts.toSorted((a, b) => a - b).find((at) => at >= first.sequence);
  const may = own.filter(
    ({ sequence }) => sequence >= first.sequence && sequence < (over ?? Infinity) && sequence <= (cut ?? Infinity),
  );
  let taken = 1;
  while (taken < may.length && fits(may.slice(0, taken + 1), limits)) taken += 1;
  const chunks = may.slice(0, taken);
  const { bytes, records } = sums(chunks);
  const last = chunks.at(-1)!.sequence;
  const bySize = taken < may.length || bytes >= limits.maxBytes || records >= limits.maxRecords;
  const byCut = cut !== undefined && (last === cut || own.some(({ sequence }) => sequence > cut));
  if (!bySize && !byCut && over === undefined) return undefined;
  const closedBy = bySize ? "size" : byCut && (over === undefined || cut < over) ? "cut" : "time";
  return { first: first.sequence, last, records, bytes, closedBy, parts: chunks.map(({ raw }) => raw) };
};

/** All batches that have ended, in order. */
export const batchesOf = (
  log: ReferenceLog,
  limits: BatchLimits,
  cuts: ReadonlyArray<number>,
  start = 0,
): ReadonlyArray<ReferenceBatch> => {
  const batches: Array<ReferenceBatch> = [];
  for (let cursor = start; ;) {
    const batch = batchAfter(log, cursor, limits, cuts);
    if (batch === undefined) return batches;
    batches.push(batch);
    cursor = batch.last;
  }
};

const sums = (chunks: ReadonlyArray<Own>) => ({
  records: chunks.reduce((sum, { records }) => sum + records, 0),
  bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0),
});

const fits = (chunks: ReadonlyArray<Own>, { maxBytes, maxRecords }: BatchLimits): boolean => {
  const { bytes, records } = sums(chunks);
  return bytes <= maxBytes && records <= maxRecords;
};
