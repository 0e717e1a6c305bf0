/** How the control thread sees that the main thread's event loop turns: a counter in memory that both can see. */

/** How often the main thread counts. */
export const pulseMillis = 50;

export const newPulse = (): SharedArrayBuffer => new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);

/** One turn; wraps around. */
export const beat = (pulse: SharedArrayBuffer): void => {
  Atomics.add(new Int32Array(pulse), 0, 1);
};

/**
 * Measures silence by looking regularly. The times are of the watching thread alone, so that a machine that slept, or a
 * process that was stopped, does not look like a stuck main thread.
 */
export class PulseWatch {
  private readonly counter: Int32Array;
  private count: number;
  private changedMillis: number;
  private lookedMillis: number;

  constructor(pulse: SharedArrayBuffer, nowMillis: number) {
    this.counter = new Int32Array(pulse);
    this.count = Atomics.load(this.counter, 0);
    this.changedMillis = nowMillis;
    this.lookedMillis = nowMillis;
  }

  /** Every tick of the control thread. */
  look(nowMillis: number): void {
    // While we did not run ourselves, nobody listened: that was no silence.
    const missed = nowMillis - this.lookedMillis - lookedMillisMax;
    if (missed > 0) this.changedMillis = Math.min(nowMillis, this.changedMillis + missed);
    this.lookedMillis = nowMillis;
    const count = Atomics.load(this.counter, 0);
    if (count === this.count) return;
    this.count = count;
    this.changedMillis = nowMillis;
  }

  silentMillis(nowMillis: number): number {
    return Math.max(0, nowMillis - this.changedMillis);
  }
}

const lookedMillisMax = 1_000;
