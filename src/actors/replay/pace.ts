import { Effect } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";

/**
 * Bytes per second, shared by all replays of a node: a replay reads the log beside the live readers, and must not take
 * the disk and the network from them. What is taken is owed: the next to ask waits until it is paid off.
 */
export class Pace {
  private readonly bytesPerSecond: number;
  private paidUpMillis = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Waits until what was taken before is paid off, then takes `bytes`. */
  take(bytes: number): Effect.Effect<void> {
    return Effect.flatMap(steadyMillis, (nowMillis) => {
      const waitMillis = Math.max(0, this.paidUpMillis - nowMillis);
      this.paidUpMillis = Math.max(this.paidUpMillis, nowMillis) + (bytes * 1_000) / this.bytesPerSecond;
      return waitMillis === 0 ? Effect.void : Effect.sleep(waitMillis);
    });
  }
}
