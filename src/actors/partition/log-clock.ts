/**
 * What time it is for the log's server: what it last said, and what has passed here since. The two clocks may differ by
 * hours, and either may be set at any moment: what has passed is told by a clock that nobody sets.
 */
export class LogClock {
  private seen: { readonly logMillis: number; readonly steadyMillis: number } | undefined;
  private lastMillis = Number.NEGATIVE_INFINITY;

  /** @param serverMillis the server's clock; undefined (it did not say) changes nothing */
  see(serverMillis: number | undefined, steadyMillis: number): void {
    if (serverMillis !== undefined) this.seen = { logMillis: serverMillis, steadyMillis };
  }

  /**
   * A message of this time was read, in the order of the log: by now it is at least as late. An old one says nothing,
   * unless the one before it was younger: then the server's clock was set back. Until the server is asked again what is
   * known of it would else make an hour's age of a record that has just come.
   */
  seeMessage(millis: number, steadyMillis: number): void {
    const now = this.at(steadyMillis);
    if (now === undefined || millis > now || millis < this.lastMillis) this.see(millis, steadyMillis);
    this.lastMillis = millis;
  }

  /** Undefined before anything was seen. */
  at(steadyMillis: number): number | undefined {
    return this.seen === undefined ? undefined : this.seen.logMillis + steadyMillis - this.seen.steadyMillis;
  }
}
