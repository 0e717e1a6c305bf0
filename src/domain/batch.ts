import { DateTime } from "effect";

/** A batch: the records of one sequence range of one push job, delivered together under one deterministic id. */

/** What closed a batch. `size` and `time` are functions of the log; `cut` is stored in the row before the push. */
export type BatchClosing = "size" | "time" | "cut";

/** JSON only: it lives in the actor's context and in its persisted snapshot. */
export interface BatchRef {
  /** Sequence of the first and of the last LOG message with a chunk of this batch. */
  readonly first: number;
  readonly last: number;
  readonly records: number;
  /** Uncompressed bytes. */
  readonly bytes: number;
  /** JetStream times of the first and last message, epoch millis. */
  readonly startMillis: number;
  readonly endMillis: number;
  readonly closedBy: BatchClosing;
}

/** `limits` of a push job that decide where its batches end. */
export interface BatchLimits {
  /** Uncompressed bytes. */
  readonly maxBytes: number;
  readonly maxRecords: number;
  readonly maxIntervalSeconds: number;
}

/** (incarnation, job, first–last): the same range read again has the same id. */
export const batchId = (incarnation: string, job: string, batch: BatchRef): string =>
  `${incarnation}_${job}_${batch.first}-${batch.last}`;

/** `2024-11-14T11:43:07.123Z` → `20241114T114307Z`. */
export const compactTime = (millis: number): string => {
  const iso = toIso(millis);
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
};

/** The UTC day of a stored time, `20241114`, which replaces `{DATE}` in a destination's path. */
export const compactDate = (millis: number): string => compactTime(millis).slice(0, 8);

const toIso = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis));

/**
 * `<path with {DATE}>/<start>_<end>_<8 hex>.log.gz`. Every part is a function of the log, never of the wall clock.
 *
 * @param hex the first 8 hex digits of the SHA-256 of the batch id (see `PushRequest.hex`)
 */
export const objectKey = (path: string, batch: BatchRef, hex: string): string => {
  const folder = path.replaceAll("{DATE}", compactDate(batch.startMillis)).replace(/^\/+|\/+$/g, "");
  const name = `${compactTime(batch.startMillis)}_${compactTime(batch.endMillis)}_${hex}.log.gz`;
  return folder === "" ? name : `${folder}/${name}`;
};
