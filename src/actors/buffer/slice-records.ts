import { constants, gunzipSync, gzipSync } from "node:zlib";

/** Some consecutive records of a batch, as one gzip member. */
export interface Slice {
  readonly body: Buffer;
  readonly records: number;
  /** Uncompressed, newlines included. */
  readonly bytes: number;
}

const newline = 0x0a;

/**
 * Records `[from, to)` of a batch, 0-based. Fewer when the batch has fewer. The whole batch is inflated, which is why
 * it is done for batches that were refused and for no others.
 *
 * @param body gzip members of newline-terminated records
 */
export const sliceRecords = (body: ReadonlyArray<Uint8Array>, from: number, to: number): Slice => {
  const raw = gunzipSync(Buffer.concat(body), { finishFlush: constants.Z_SYNC_FLUSH });
  let start = -1;
  let end = raw.length;
  let records = 0;
  for (let at = 0, index = 0; at < raw.length; index++) {
    if (index === from) start = at;
    if (index === to) {
      end = at;
      break;
    }
    if (index >= from) records += 1;
    const next = raw.indexOf(newline, at);
    at = next === -1 ? raw.length : next + 1;
  }
  const slice = start === -1 ? raw.subarray(0, 0) : raw.subarray(start, end);
  return { body: gzipSync(slice, { level: 1 }), records, bytes: slice.length };
};
