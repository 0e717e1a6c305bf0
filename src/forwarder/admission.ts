import { EventLoopDelay } from "./event-loop-delay.ts";
import { nodeBusy, RequestRefused } from "./request-refused.ts";

export interface AdmissionLimits {
  readonly requestsInFlightMax: number;
  readonly requestsInFlightBytesMax: number;
  readonly eventLoopDelayMillisMax: number;
}

/** What an admitted request holds of the node's memory, until it leaves. */
export interface Place {
  /**
   * Holds `bytes` from now on instead of what it held. False when that is more than the node may take: then nothing
   * changed. A request that is alone is never refused: its own limits bound it.
   */
  readonly hold: (bytes: number) => boolean;
  /** How many bytes it could hold now. */
  readonly roomBytes: () => number;
  /** Once the request is answered; later calls do nothing. */
  readonly leave: () => void;
}

/** What a body of unknown length holds until more of it has come. */
const unannouncedBytes = 65_536;

/** Decides whether a request may come in, before its body is read, and keeps count of what came in. */
export class Admission {
  private readonly limits: AdmissionLimits;
  private readonly delay: EventLoopDelay;
  private requests = 0;
  private bytes = 0;
  private closed = false;
  private readonly idle: Array<() => void> = [];

  constructor(limits: AdmissionLimits, delay: EventLoopDelay) {
    this.limits = limits;
    this.delay = delay;
  }

  bytesInFlight(): number {
    return this.bytes;
  }

  /** @param announcedBytes `Content-Length`; undefined when the length is not known beforehand */
  enter(announcedBytes: number | undefined): Place | RequestRefused {
    if (this.closed) {
      return new RequestRefused(503, "draining", "This node is shutting down: send to another one, or again later.", 1);
    }
    const first = announcedBytes ?? unannouncedBytes;
    if (this.requests >= this.limits.requestsInFlightMax || !this.fits(first)) {
      return nodeBusy("Too many requests are in flight on this node.", 1);
    }
    if (this.delay.meanMillis() > this.limits.eventLoopDelayMillisMax) {
      return nodeBusy("This node is overloaded.", 2);
    }
    this.requests += 1;
    this.bytes += first;
    return this.place(first);
  }

  /** No more requests. Calls back when the last one has left. */
  close(done: () => void): void {
    this.closed = true;
    if (this.requests === 0) done();
    else this.idle.push(done);
  }

  private fits(more: number): boolean {
    // An empty door takes any one request: its own limits bound it.
    return this.bytes === 0 || this.bytes + more <= this.limits.requestsInFlightBytesMax;
  }

  private place(first: number): Place {
    let held = first;
    let left = false;
    const roomBytes = () => {
      const others = this.bytes - held;
      return others === 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, this.limits.requestsInFlightBytesMax - others);
    };
    return {
      roomBytes,
      hold: (bytes) => {
        if (left || (bytes > held && bytes > roomBytes())) return false;
        this.bytes += bytes - held;
        held = bytes;
        return true;
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
}
