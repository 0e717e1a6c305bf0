import { Effect, Metric } from "effect";
import { jain } from "../../../domain/fairness.ts";
import { sweepFairness } from "../../../observability/sweep-metrics.ts";
import type { Buffer } from "../../buffer/buffer.ts";
import { steadyMillis } from "../../../domain/steady-clock.ts";

/** What was not used up to now may be used at once, up to so much of a second. */
const burstSeconds = 0.25;
/** Shares are compared over this time. */
const fairnessSeconds = 10;
/** Who was ready for less than this had no time to be treated unfairly. */
const demandSeconds = 1;

interface Share {
  readonly sinceSeconds: number;
  untilSeconds: number;
  bytes: number;
}

/**
 * What the sweeps of all partitions of a node share: bytes a second, and the account of who got how much. Time is the
 * monotonic clock's, so that a clock set back does not stop the sweeps.
 */
export class SweepRegulator {
  private readonly bytesPerSecondMax: number;
  /** When everything that was read so far is paid for. */
  private paidSeconds = 0;
  private shares = new Map<Buffer, Share>();
  private sharesSinceSeconds: number | undefined;

  constructor(bytesPerSecondMax: number) {
    this.bytesPerSecondMax = bytesPerSecondMax;
  }

  static unlimited(): SweepRegulator {
    return new SweepRegulator(Number.POSITIVE_INFINITY);
  }

  /** Waits until the bytes just read are paid for. Sweeps that wait together take turns by what they have read. */
  pace(bytes: number): Effect.Effect<void> {
    return Effect.flatMap(monotonicSeconds, (now) => {
      this.paidSeconds = Math.max(this.paidSeconds, now - burstSeconds) + bytes / this.bytesPerSecondMax;
      const seconds = this.paidSeconds - now;
      return seconds > 0 ? Effect.sleep(Math.ceil(seconds * 1_000)) : Effect.void;
    });
  }

  /** These buffers want data now. Now and then their shares are compared. */
  ready(buffers: ReadonlyArray<Buffer>): Effect.Effect<void> {
    return Effect.flatMap(monotonicSeconds, (now) => {
      this.sharesSinceSeconds ??= now;
      for (const buffer of buffers) {
        const share = this.shares.get(buffer);
        if (share === undefined) this.shares.set(buffer, { sinceSeconds: now, untilSeconds: now, bytes: 0 });
        else share.untilSeconds = now;
      }
      if (now - this.sharesSinceSeconds < fairnessSeconds) return Effect.void;
      const index = this.fairness();
      this.shares = new Map();
      this.sharesSinceSeconds = now;
      return Metric.update(sweepFairness, index);
    });
  }

  fed(buffer: Buffer, bytes: number): void {
    const share = this.shares.get(buffer);
    if (share !== undefined) share.bytes += bytes;
  }

  /** Jain's index of bytes by weight, over the buffers that wanted data for at least a second and did not get all. */
  fairness(): number {
    const wanting = [...this.shares].filter(
      ([, { sinceSeconds, untilSeconds }]) => untilSeconds - sinceSeconds >= demandSeconds,
    );
    return jain(wanting.map(([buffer, { bytes }]) => bytes / buffer.weight())) ?? 1;
  }
}

/** Never set back, unlike the time of day. */
export const monotonicSeconds: Effect.Effect<number> = Effect.map(steadyMillis, (millis) => millis / 1_000);
