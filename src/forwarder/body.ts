import { createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { IncomingMessage } from "node:http";
import { MemoryPool } from "../domain/memory-pool.ts";
import { RequestRefused } from "./refusal.ts";

export interface BodyLimits {
  readonly requestBodyBytesMax: number;
  readonly requestInflatedBytesMax: number;
  readonly requestReadMillisMax: number;
}

export type BodyEncoding = "identity" | "gzip" | "zstd";

/** Below this, inflating at once is cheaper than a stream. */
const syncBytesMax = 65_536;

/** `Content-Encoding` as one of ours, or a refusal. */
export const bodyEncoding = (header: string | undefined): BodyEncoding => {
  const name = (header ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return "identity";
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "zstd") return "zstd";
  throw new RequestRefused(415, "unsupported_encoding", "Content-Encoding must be identity, gzip or zstd.");
};

export const tooLarge = (bytes: number, what: string) =>
  new RequestRefused(413, "body_too_large", `The ${what} is larger than ${bytes} bytes: send smaller bodies.`);

/** Bodies of 64 KB to 2 MB: a body is copied together anyway, so its memory may as well be an old one. */
const bodies = new MemoryPool(16, 21, 33_554_432);

/** What came from `bodies`: other bodies may share their memory with strangers. */
const pooled = new WeakSet<ArrayBufferLike>();

/** Gives a body's memory back, when nothing refers to it any more. */
export const releaseBody = (body: Buffer): void => {
  if (pooled.has(body.buffer)) bodies.give(Buffer.from(body.buffer));
};

/** Reads the body off the wire, bounded in bytes and time. Calls back exactly once. */
export const readBody = (
  request: IncomingMessage,
  limits: BodyLimits,
  done: (result: Buffer | RequestRefused) => void,
): void => {
  const parts: Array<Buffer> = [];
  let bytes = 0;
  let finished = false;
  const finish = (result: Buffer | RequestRefused) => {
    if (finished) return;
    finished = true;
    clearTimeout(timer);
    request.off("data", onData);
    done(result);
  };
  const onData = (part: Buffer) => {
    bytes += part.length;
    if (bytes > limits.requestBodyBytesMax) finish(tooLarge(limits.requestBodyBytesMax, "body"));
    else parts.push(part);
  };
  // Node's own timer: the request is Node's, and no effect runs yet.
  // @effect-diagnostics-next-line globalTimers:off
  const timer = setTimeout(
    () =>
      finish(
        new RequestRefused(408, "body_too_slow", `The body did not arrive within ${limits.requestReadMillisMax} ms.`),
      ),
    limits.requestReadMillisMax,
  );
  request.on("data", onData);
  request.once("end", () => finish(joined(parts, bytes)));
  request.once("error", () => finish(new RequestRefused(400, "body_aborted", "The connection ended before the body.")));
  request.once("close", () => finish(new RequestRefused(400, "body_aborted", "The connection ended before the body.")));
};

const joined = (parts: ReadonlyArray<Buffer>, bytes: number): Buffer => {
  if (parts.length === 1) return parts[0]!;
  const body = bodies.take(Math.max(1, bytes)).subarray(0, bytes);
  pooled.add(body.buffer);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
};

/** Inflates a whole body; more than the limit is refused before it is allocated. Nothing of a damaged body is used. */
export const inflate = (
  body: Buffer,
  encoding: BodyEncoding,
  limits: BodyLimits,
  done: (result: Buffer | RequestRefused) => void,
): void => {
  if (encoding === "identity") return done(body);
  if (body.length < syncBytesMax) return done(inflateAtOnce(body, encoding, limits.requestInflatedBytesMax));
  inflateInPieces(body, encoding, limits.requestInflatedBytesMax, done);
};

const inflateAtOnce = (body: Buffer, encoding: "gzip" | "zstd", bytesMax: number): Buffer | RequestRefused => {
  try {
    const options = { maxOutputLength: bytesMax };
    return encoding === "gzip" ? gunzipSync(body, options) : zstdDecompressSync(body, options);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
      ? tooLarge(bytesMax, "inflated body")
      : damaged(encoding);
  }
};

const inflateInPieces = (
  body: Buffer,
  encoding: "gzip" | "zstd",
  bytesMax: number,
  done: (result: Buffer | RequestRefused) => void,
): void => {
  // Strict about the end: a body cut short must not pass for a shorter one.
  const stream = encoding === "gzip" ? createGunzip({ chunkSize: 262_144 }) : createZstdDecompress({ chunkSize: 262_144 });
  const parts: Array<Buffer> = [];
  let bytes = 0;
  let finished = false;
  const finish = (result: Buffer | RequestRefused) => {
    if (finished) return;
    finished = true;
    stream.destroy();
    done(result);
  };
  stream.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes > bytesMax) finish(tooLarge(bytesMax, "inflated body"));
    else parts.push(part);
  });
  stream.on("error", () => finish(damaged(encoding)));
  stream.on("end", () => finish(Buffer.concat(parts, bytes)));
  stream.end(body);
};

const damaged = (encoding: string) =>
  new RequestRefused(400, "body_damaged", `The body is not whole ${encoding}: nothing of it was stored.`);
