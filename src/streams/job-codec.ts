import { Result, Schema } from "effect";
import { PushJob } from "../domain/push-job.ts";
import { isPlainJob } from "./plain-job.ts";

const decodeJson = Schema.decodeUnknownResult(Schema.fromJsonString(PushJob));
const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** A job as the store keeps it: JSON with sorted keys, so that equal jobs are equal bytes. */
export const encodeJob = (job: PushJob): Uint8Array => encoder.encode(canonicalJob(job));

/** The same, as text: two jobs are identical when these are. It holds secrets: never to be shown. */
export const canonicalJob = (job: PushJob): string => JSON.stringify(job, sortedKeys);

const sortedKeys = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Undefined when these bytes are no push job. Why is not told: the reason would quote what they hold. */
export const decodeStoredJob = (id: string, data: Uint8Array): PushJob | undefined => {
  let text: string;
  try {
    text = utf8.decode(data);
  } catch {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isPlainJob(value)) return value.id === id ? value : undefined;
  } catch {
    return undefined;
  }
  const decoded = decodeJson(text);
  return Result.isSuccess(decoded) && decoded.success.id === id ? decoded.success : undefined;
};
