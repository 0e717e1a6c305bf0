import { DateTime } from "effect";
import { gzipSync } from "node:zlib";
import type { PushJob } from "../../domain/push-job.ts";
import type { LossMark } from "../ports/checkpoints.ts";

/**
 * The one record by which a destination is told, in their place, of records that it will not get: a gzip member of its
 * own, before the batch's first. A function of the row, so that every attempt has the same bytes.
 */
export const lossMarkMember = ({ customer, dataset, id }: PushJob, mark: LossMark): Buffer => {
  const record = {
    spillway: "records-lost",
    customer,
    dataset,
    job: id,
    records: mark.records,
    bytes: mark.bytes,
    reason: mark.reason,
    firstSequence: mark.firstSequence,
    lastSequence: mark.lastSequence,
    time: DateTime.formatIso(DateTime.makeUnsafe(mark.millis)),
  };
  return gzipSync(`${JSON.stringify(record)}\n`, { level: 1 });
};
