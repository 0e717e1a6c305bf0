import type { HeapItem } from "./priority-heap.ts";
import type { DestinationHost } from "./host.ts";
import type { JobShare } from "./job-share.ts";

/**
 * A push holds a place among the fast until it has had no answer for `pushSlowMillis`; then one among the slow, so that
 * destinations that hang use up nobody's places but their own kind's.
 */
export type Pool = "fast" | "slow";

/** What a push asks the scheduler for. */
export interface PlaceRequest {
  readonly job: string;
  readonly host: string;
  /** The job's share beside that of others. */
  readonly weight: number;
  /** Uncompressed bytes of the batch: what a push costs its job. */
  readonly bytes: number;
  /** 1-based; the first goes before the others. */
  readonly attempt: number;
  /** Called once there is a place, perhaps before `enter` returns. Whoever began must `leave`, once. */
  readonly begin: (ticket: PushTicket) => void;
  /** Called instead of `begin`, perhaps later: come again after so many milliseconds. */
  readonly refuse: (reason: "circuit-open" | "host-paused", retryAfterMillis: number) => void;
}

/** One push on its way through the scheduler. */
export class PushTicket implements HeapItem {
  heapPlace = -1;
  readonly request: PlaceRequest;
  readonly host: DestinationHost;
  readonly share: JobShare;
  readonly isRetry: boolean;
  /** Order of arrival: breaks ties. */
  readonly number: number;
  readonly enteredMillis: number;
  /** Start tags among the jobs of its host and among all jobs of the node. */
  hostTag = 0;
  nodeTag = 0;
  state: "waiting" | Pool | "done" = "waiting";
  beganMillis = 0;
  /** The host's window's round when it began. */
  round = 0;
  isProbe = false;
  /** Its neighbours in a {@link TicketList}. */
  older: PushTicket | undefined = undefined;
  newer: PushTicket | undefined = undefined;

  constructor(request: PlaceRequest, host: DestinationHost, share: JobShare, number: number, enteredMillis: number) {
    this.request = request;
    this.isRetry = request.attempt > 1;
    this.host = host;
    this.share = share;
    this.number = number;
    this.enteredMillis = enteredMillis;
  }
}
