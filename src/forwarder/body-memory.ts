import { MemoryPool } from "../domain/memory-pool.ts";

/** Bodies of 64 KB to 2 MB: a body is copied together anyway, so its memory may as well be an old one. */
const bodies = new MemoryPool(16, 21, 33_554_432);
const pooledBytesMax = 2 ** 21;

/** What came from `bodies`: other bodies may share their memory with strangers. */
const pooled = new WeakSet<ArrayBufferLike>();

/** The parts of a body in one buffer. */
export const joinBody = (parts: ReadonlyArray<Buffer>, bytes: number): Buffer => {
  if (parts.length === 1) return parts[0]!;
  const body =
    bytes > pooledBytesMax ? Buffer.allocUnsafeSlow(bytes) : bodies.take(Math.max(1, bytes)).subarray(0, bytes);
  if (bytes <= pooledBytesMax) pooled.add(body.buffer);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
};

/** Gives a body's memory back, when nothing refers to it any more. A second time does nothing. */
export const releaseBody = (body: Buffer): void => {
  if (pooled.delete(body.buffer)) bodies.give(Buffer.from(body.buffer));
};
