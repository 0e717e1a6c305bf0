import { Clock, Effect } from "effect";

/**
 * What time it is for the log's server: what it last said, and what has passed here since. The two clocks may differ by
 * hours, and either may be set at any moment: what has passed is told by a clock that nobody sets.
 */
export class LogClock {
  private seen: { readonly logMillis: number; readonly steadyMillis: number } | undefined;

  /** @param serverMillis the server's clock; undefined (it did not say) changes nothing */
  see(serverMillis: number | undefined, steadyMillis: number): void {
    if (serverMillis !== undefined) this.seen = { logMillis: serverMillis, steadyMillis };
  }

  /** A message of this time was read: by now it is at least as late. An old one says nothing. */
  seeMessage(millis: number, steadyMillis: number): void {
    const now = this.at(steadyMillis);
    if (now === undefined || millis > now) this.see(millis, steadyMillis);
  }

  /** Undefined before anything was seen. */
  at(steadyMillis: number): number | undefined {
    return this.seen === undefined ? undefined : this.seen.logMillis + steadyMillis - this.seen.steadyMillis;
  }
}

/** Milliseconds of a clock that only ever goes on. */
export const steadyMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n),
);
