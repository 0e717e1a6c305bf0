import type { Buffer } from "../buffer/buffer.ts";

interface Entry {
  readonly millis: number;
  readonly buffer: Buffer;
}

/** Leaders' clocks differ a little, and what is known of them is a little old: that is no clock that was set. */
const skewMillis = 1_000;

/**
 * Open batches by the JetStream time at which they end: a binary heap, so that a message costs nothing when none is
 * due. Entries are never removed early; one whose batch has ended meanwhile is skipped when it surfaces.
 */
export class Deadlines {
  private readonly heap: Array<Entry> = [];
  /** No open batch began later. */
  private latestStartMillis = Number.NEGATIVE_INFINITY;

  next(): number | undefined {
    return this.heap[0]?.millis;
  }

  /**
   * Whether a message of this time would end a batch: one is due, or began so much later that the server's clock must
   * have been set back. In a silent log it would else stay open until that clock has come there again.
   */
  isDue(millis: number): boolean {
    const next = this.next();
    return next !== undefined && (next <= millis || millis < this.latestStartMillis - skewMillis);
  }

  watch(buffer: Buffer): void {
    const millis = buffer.window.deadlineMillis();
    if (millis === undefined) return;
    this.latestStartMillis = Math.max(this.latestStartMillis, buffer.window.openStartMillis()!);
    const heap = this.heap;
    heap.push({ millis, buffer });
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.millis <= heap[i]!.millis) break;
      [heap[parent], heap[i]] = [heap[i]!, heap[parent]!];
      i = parent;
    }
  }

  /** Every buffer whose batch is due at this time, once; those too that began later than that. */
  *due(millis: number): Generator<Buffer> {
    while (this.heap.length > 0 && this.heap[0]!.millis <= millis) yield this.pop().buffer;
    if (millis < this.latestStartMillis) yield* this.begunAfter(millis);
  }

  /** The server's clock was set back. That is rare: all open batches are looked at. */
  private begunAfter(millis: number): ReadonlyArray<Buffer> {
    this.latestStartMillis = millis;
    const later = this.heap.filter(({ buffer }) => (buffer.window.openStartMillis() ?? millis) > millis);
    return later.map(({ buffer }) => buffer);
  }

  private pop(): Entry {
    const heap = this.heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ;) {
      const left = 2 * i + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && heap[right]!.millis < heap[left]!.millis ? right : left;
      if (heap[i]!.millis <= heap[child]!.millis) break;
      [heap[i], heap[child]] = [heap[child]!, heap[i]!];
      i = child;
    }
    return top;
  }
}
