import { monitorEventLoopDelay } from "node:perf_hooks";
import { RequestRefused } from "./refusal.ts";

export interface AdmissionLimits {
  readonly requestsInFlightMax: number;
  readonly requestsInFlightBytesMax: number;
  readonly eventLoopDelayMillisMax: number;
  readonly requestBodyBytesMax: number;
}

/** The delay is looked at over about so many milliseconds. */
const windowMillis = 2_000;
const nanosPerMilli = 1e6;

/** Decides whether a request may come in, before its body is read. */
export class Admission {
  private readonly limits: AdmissionLimits;
  private readonly delay: ReturnType<typeof monitorEventLoopDelay>;
  private readonly clock: () => number;
  private windowStarted: number;
  private requests = 0;
  private bytes = 0;
  private closed = false;
  private readonly idle: Array<() => void> = [];

  constructor(limits: AdmissionLimits, clock: () => number) {
    this.limits = limits;
    this.clock = clock;
    this.windowStarted = clock();
    this.delay = monitorEventLoopDelay({ resolution: 20 });
    this.delay.enable();
  }

  bytesInFlight(): number {
    return this.bytes;
  }

  /**
   * @param announced `Content-Length`; undefined counts as one megabyte until it is known better
   * @throws RequestRefused
   */
  enter(announced: number | undefined): { readonly leave: () => void; readonly resize: (bytes: number) => void } {
    let held = announced ?? unannouncedBytes;
    if (this.closed) throw new RequestRefused(503, "draining", "This node is shutting down.", 1);
    if (
      this.requests >= this.limits.requestsInFlightMax ||
      (this.bytes > 0 && this.bytes + held > this.limits.requestsInFlightBytesMax)
    ) {
      throw new RequestRefused(503, "busy", "Too many requests are in flight on this node.", 1);
    }
    if (this.meanDelayMillis() > this.limits.eventLoopDelayMillisMax) {
      throw new RequestRefused(503, "busy", "This node is overloaded.", 2);
    }
    this.requests += 1;
    this.bytes += held;
    let left = false;
    return {
      resize: (bytes) => {
        if (left) return;
        this.bytes += bytes - held;
        held = bytes;
      },
      leave: () => {
        if (left) return;
        left = true;
        this.requests -= 1;
        this.bytes -= held;
        if (this.requests === 0) for (const tell of this.idle.splice(0)) tell();
      },
    };
  }

  /** No more requests. Calls back when the last one has been answered. */
  close(done: () => void): void {
    this.closed = true;
    this.delay.disable();
    if (this.requests === 0) done();
    else this.idle.push(done);
  }

  private meanDelayMillis(): number {
    const now = this.clock();
    const mean = this.delay.mean / nanosPerMilli;
    if (now - this.windowStarted > windowMillis) {
      this.windowStarted = now;
      this.delay.reset();
    }
    return Number.isFinite(mean) ? mean : 0;
  }
}

const unannouncedBytes = 1_048_576;
