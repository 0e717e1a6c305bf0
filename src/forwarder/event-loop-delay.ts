import { Effect, type Scope } from "effect";
import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMillis = 20;
/** The mean is taken over so many milliseconds, and looked up no oftener: it costs tens of microseconds. */
const windowMillis = 500;
const nanosPerMilli = 1e6;

/** What of Node's histogram is used. */
interface DelayHistogram {
  /** Nanoseconds, since the histogram was enabled; NaN before the first sample. */
  readonly mean: number;
  readonly count: number;
}

/** How late the event loop runs what is due, as a mean over the last half second. */
export class EventLoopDelay {
  private readonly histogram: DelayHistogram;
  private readonly clock: () => number;
  private lookedUpMillis = Number.NEGATIVE_INFINITY;
  private count = 0;
  private sumNanos = 0;
  private latestMillis = 0;

  /** @param clock milliseconds */
  constructor(histogram: DelayHistogram, clock: () => number) {
    this.histogram = histogram;
    this.clock = clock;
  }

  /** Ends with its scope. */
  static readonly make = (clock: () => number): Effect.Effect<EventLoopDelay, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution: resolutionMillis });
        histogram.enable();
        return histogram;
      }),
      (histogram) => Effect.sync(() => histogram.disable()),
    ).pipe(Effect.map((histogram) => new EventLoopDelay(histogram, clock)));

  meanMillis(): number {
    const now = this.clock();
    if (now - this.lookedUpMillis >= windowMillis) {
      this.lookedUpMillis = now;
      this.lookUp();
    }
    return this.latestMillis;
  }

  /** From the difference of two readings: a reset would lose the very block of the loop that it is done in. */
  private lookUp(): void {
    const { count, mean } = this.histogram;
    if (count === 0) return;
    const sumNanos = mean * count;
    const samples = count - this.count;
    // Each sample holds the timer's own period.
    const millis = samples <= 0 ? 0 : (sumNanos - this.sumNanos) / samples / nanosPerMilli - resolutionMillis;
    this.latestMillis = Math.max(0, millis);
    this.count = count;
    this.sumNanos = sumNanos;
  }
}
