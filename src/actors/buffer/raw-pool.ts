/**
 * Memory for the raw records of open batches, used again and again: ten thousand buffers that each grow a run of records
 * every few seconds would otherwise keep the garbage collector busy with external memory.
 */
const smallestBits = 11;
const largestBits = 19;
/** Bytes kept for reuse in each size class. */
const classBytesMax = 33_554_432;

const free: ReadonlyArray<Array<Buffer>> = Array.from({ length: largestBits - smallestBits + 1 }, () => []);

/** At least `bytes` long; its content is whatever was in it before. */
export const takeRaw = (bytes: number): Buffer => {
  const bits = Math.max(smallestBits, 32 - Math.clz32(bytes - 1));
  return (bits <= largestBits ? free[bits - smallestBits]!.pop() : undefined) ?? Buffer.allocUnsafeSlow(2 ** bits);
};

/** Nobody may hold a view of it any more. */
export const giveRaw = (buffer: Buffer): void => {
  const bits = 31 - Math.clz32(buffer.length);
  if (bits < smallestBits || bits > largestBits) return;
  const same = free[bits - smallestBits]!;
  if (same.length < classBytesMax >> bits) same.push(buffer);
};
