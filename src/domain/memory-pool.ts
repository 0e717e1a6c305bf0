/**
 * Memory that is used again and again, in powers of two. Large short-lived buffers are external to the garbage
 * collector's heap and make it run a full collection for every few dozen megabytes, however little there is to collect.
 */
export class MemoryPool {
  private readonly smallestBits: number;
  private readonly largestBits: number;
  /** Bytes kept for reuse in each size class. */
  private readonly classBytesMax: number;
  private readonly free: ReadonlyArray<Array<Buffer>>;

  constructor(smallestBits: number, largestBits: number, classBytesMax: number) {
    this.smallestBits = smallestBits;
    this.largestBits = largestBits;
    this.classBytesMax = classBytesMax;
    this.free = Array.from({ length: largestBits - smallestBits + 1 }, () => []);
  }

  /** At least `bytes` long; its content is whatever was in it before. */
  take(bytes: number): Buffer {
    const bits = Math.max(this.smallestBits, 32 - Math.clz32(bytes - 1));
    const kept = bits <= this.largestBits ? this.free[bits - this.smallestBits]!.pop() : undefined;
    return kept ?? Buffer.allocUnsafeSlow(2 ** bits);
  }

  /** Nobody may hold a view of it any more. */
  give(buffer: Buffer): void {
    const bits = 31 - Math.clz32(buffer.length);
    if (bits < this.smallestBits || bits > this.largestBits) return;
    const same = this.free[bits - this.smallestBits]!;
    if (same.length < this.classBytesMax >> bits) same.push(buffer);
  }
}
