import type { Buffer } from "./buffer/buffer.ts";
import type { Chunk, LogMessage } from "./ports/log.ts";

/** From one share of the budget on windows are given up, down to a lower one: so that it is not done for each chunk. */
const share = { over: 0.9, eased: 0.8, sweep: 0.5 };
const sweepRecountMillis = 100;

/**
 * The memory of all windows of a node, as one budget. What is fed is added up, and what leaves is not taken off: an
 * upper bound that costs an addition per chunk. Only when it reaches the budget are the windows counted, and given up
 * if they must be.
 * Whoever feeds calls `keep` between two messages, so the windows exceed the budget by one message at most.
 *
 * What is in the middle of a push cannot be given up.
 */
export class WindowBudget {
  readonly bytesMax: number;
  private readonly buffers: () => Iterable<Buffer>;
  /** At least what all windows hold. */
  private heldAtMost = 0;
  /** At least what the windows of lagging buffers hold. */
  private laggingAtMost = 0;
  private recountAt: number;
  private sweepRecountedMillis = Number.NEGATIVE_INFINITY;
  /** Windows given up since the start. */
  givenUp = 0;

  constructor(bytesMax: number, buffers: () => Iterable<Buffer>) {
    this.bytesMax = bytesMax;
    this.buffers = buffers;
    this.recountAt = bytesMax;
  }

  static unlimited(): WindowBudget {
    return new WindowBudget(Number.POSITIVE_INFINITY, () => []);
  }

  /** Feeds a buffer and keeps account of it. False: its window is full. */
  feed(buffer: Buffer, { millis, sequence }: LogMessage, chunk: Chunk): boolean {
    const before = buffer.window.bytes();
    if (!buffer.feed(sequence, millis, chunk)) return false;
    const taken = Math.max(0, buffer.window.bytes() - before);
    this.heldAtMost += taken;
    if (!buffer.live) this.laggingAtMost += taken;
    return true;
  }

  /** Between two messages, never within one: it makes buffers lag. */
  keep(): void {
    if (this.heldAtMost > this.recountAt) this.recount();
  }

  /**
   * Bytes that a sweep may still feed. Sweeps have half of the budget: if they took all, those that they feed would
   * push each other out, and none would ever complete a batch.
   */
  sweepRoom(nowMillis: number): number {
    const most = this.bytesMax * share.sweep;
    const isDue = nowMillis < this.sweepRecountedMillis || nowMillis - this.sweepRecountedMillis >= sweepRecountMillis;
    if (this.laggingAtMost > most / 2 && isDue) {
      this.sweepRecountedMillis = nowMillis;
      this.recount();
    }
    return Math.max(0, most - this.laggingAtMost);
  }

  private recount(): void {
    const holders: Array<Buffer> = [];
    let held = 0;
    let lagging = 0;
    for (const buffer of this.buffers()) {
      const bytes = buffer.window.bytes();
      if (bytes === 0) continue;
      holders.push(buffer);
      held += bytes;
      if (!buffer.live) lagging += bytes;
    }
    if (held > this.bytesMax * share.over) {
      held = this.giveUp(holders, held);
      // A live buffer that gave its window up lags, with what is being pushed.
      lagging = holders.reduce((sum, { live, window }) => (live ? sum : sum + window.bytes()), 0);
    }
    this.heldAtMost = held;
    this.laggingAtMost = lagging;
    // What is being pushed may fill the budget alone: then not every message is a reason to count again.
    this.recountAt = Math.max(this.bytesMax, held + this.bytesMax / 16);
  }

  private giveUp(holders: ReadonlyArray<Buffer>, before: number): number {
    let held = before;
    const bytes = new Map(holders.map((buffer) => [buffer, buffer.window.bytes()]));
    const ranks = new Map(holders.map((buffer) => [buffer, rank(buffer)]));
    const order = holders.toSorted((a, b) => ranks.get(a)! - ranks.get(b)! || bytes.get(b)! - bytes.get(a)!);
    for (const buffer of order) {
      if (held <= this.bytesMax * share.eased) break;
      buffer.giveUpWindow();
      const freed = bytes.get(buffer)! - buffer.window.bytes();
      held -= freed;
      if (freed > 0) this.givenUp += 1;
    }
    return held;
  }
}

const standing: ReadonlySet<string> = new Set(["backingOff", "suspended", "quarantined"]);

/**
 * Who goes first: whose destination takes nothing; who has complete batches that wait, because it is slower than its
 * traffic; who is merely large. Last those that a sweep feeds: they have a share of their own, and giving up what was
 * just read again would be work for nothing.
 */
const rank = (buffer: Buffer): number => {
  const delivery = buffer.actor?.delivery();
  if (delivery === undefined || standing.has(delivery)) return 0;
  if (!buffer.live) return 3;
  return buffer.window.head() !== undefined && delivery === "pushing" ? 1 : 2;
};
