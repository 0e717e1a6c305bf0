/**
 * What time it is in the log, by the server's clock: the last time that was seen, and what has passed here since. The
 * two clocks may differ by hours, and either may be set while nobody writes.
 */
export class LogClock {
  private seen: { readonly logMillis: number; atMillis: number } | undefined;

  /** @param logMillis of a message that was just read; undefined changes nothing */
  see(logMillis: number | undefined, nowMillis: number): void {
    if (logMillis !== undefined) this.seen = { logMillis, atMillis: nowMillis };
  }

  /** Before anything was seen: by our own clock. */
  at(nowMillis: number): number {
    if (this.seen === undefined) return nowMillis;
    // Ours was set back: it goes on from here.
    this.seen.atMillis = Math.min(this.seen.atMillis, nowMillis);
    return this.seen.logMillis + nowMillis - this.seen.atMillis;
  }
}
