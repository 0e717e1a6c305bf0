/** What passes between a drill and its producers and sinks, as structured clones. */

/** First and last sequence number, both included. */
export type SequenceRange = readonly [first: number, last: number];

export interface ProducerData {
  /** Data addresses of the nodes, taken in turn. */
  readonly urls: ReadonlyArray<string>;
  readonly token: string | undefined;
  readonly run: string;
  readonly customers: ReadonlyArray<string>;
  readonly recordsPerSecond: number;
  readonly recordBytes: number;
  /** Between two requests of one customer. */
  readonly requestMillis: number;
  /** How long a request is offered before its records are given up. */
  readonly offerMillisMax: number;
}

export type ToProducer =
  /** So many times the ordinary rate from now on. */
  | { readonly type: "rate"; readonly customers: ReadonlyArray<string>; readonly factor: number }
  /** Records of customers that have no push job, each taken in turn; 0 a second ends it. */
  | { readonly type: "strangers"; readonly count: number; readonly recordsPerSecond: number }
  /** Offer nothing more. Answered with `stopped` when the last request has its answer or was given up. */
  | { readonly type: "stop" };

/** Records of the drill's customers, since the start. */
export interface OfferCounts {
  readonly offered: number;
  /** Answered 200 and accepted. */
  readonly acknowledged: number;
  /** Answered 200 and dropped: no push job wants them, says the node. */
  readonly unconfigured: number;
  /** Given up after `offerMillisMax`, or answered with what no repeat changes. */
  readonly gaveUp: number;
  /** Requests that were answered 429 or 503, each time. */
  readonly requestsRefused: number;
  /** Requests that had no answer, each time. */
  readonly requestsFailed: number;
  readonly strangers: { readonly offered: number; readonly accepted: number; readonly unconfigured: number };
}

/** Anew each time: who counts in it owns it. */
export const noOffers = (): OfferCounts => ({
  offered: 0,
  acknowledged: 0,
  unconfigured: 0,
  gaveUp: 0,
  requestsRefused: 0,
  requestsFailed: 0,
  strangers: { offered: 0, accepted: 0, unconfigured: 0 },
});

export interface Offered {
  readonly customer: string;
  readonly records: number;
  /** Of these nobody said that they are stored: given up, or dropped with 200. */
  readonly notAcknowledged: ReadonlyArray<SequenceRange>;
}

export type FromProducer =
  | { readonly type: "counts"; readonly counts: OfferCounts }
  | {
      readonly type: "stopped";
      readonly counts: OfferCounts;
      readonly offered: ReadonlyArray<Offered>;
      /** By the second (epoch) in which the records were offered. */
      readonly offeredAt: ReadonlyMap<number, number>;
      /** The last answers that no repeat would have changed, a few, for people. */
      readonly problems: ReadonlyArray<string>;
    };

/** How a destination answers. */
export type Behaviour =
  | { readonly kind: "well" }
  | { readonly kind: "slow"; readonly millis: number }
  | { readonly kind: "failing"; readonly status: number }
  | { readonly kind: "hanging" }
  /** One record, of the next batch, is refused with this status for ever, and every batch with it. */
  | { readonly kind: "poisoned"; readonly status: number };

export interface SinkData {
  readonly host: string;
  /** So many servers, each on a port of its own: to Spillway, a host each. */
  readonly hosts: number;
  readonly customers: ReadonlyArray<string>;
}

export interface PhaseStart {
  readonly name: string;
  readonly fromMillis: number;
}

export type ToSink =
  | { readonly type: "behave"; readonly customers: ReadonlyArray<string>; readonly behaviour: Behaviour }
  | { readonly type: "phase"; readonly phase: PhaseStart }
  | { readonly type: "reckon"; readonly offered: ReadonlyArray<Offered>; readonly steady: ReadonlyArray<string> };

export interface ArrivalCounts {
  /** Unique records of the drill's customers. */
  readonly delivered: number;
  readonly duplicates: number;
  /** At a destination that is not their customer's, or that nobody sent. */
  readonly misdelivered: number;
  /** Records of customers who sent beside the drill's, and for whom there was a push job all the same. */
  readonly strangersDelivered: number;
  readonly batches: number;
}

/** A customer's destination is at `/<customer>`, and also at `/<customer>/moved`, for a job that was changed. */
export const movedPath = "moved";

/** Of the records offered in one phase that were delivered, whenever that was. */
export interface PhaseLag {
  readonly phase: string;
  readonly records: number;
  readonly p50Millis: number | null;
  readonly p99Millis: number | null;
  /** When the last of them came, of whatever customer; null: none came. */
  readonly lastArrivalMillis: number | null;
}

export interface Arrived {
  readonly customer: string;
  readonly delivered: number;
  /** Of those that nobody acknowledged: they were stored all the same. */
  readonly deliveredNotAcknowledged: number;
}

export interface Reckoning {
  readonly type: "reckoning";
  readonly counts: ArrivalCounts;
  readonly arrived: ReadonlyArray<Arrived>;
  /** By the second (epoch) in which the records were offered. */
  readonly deliveredAt: ReadonlyMap<number, number>;
  /** Of the steady customers. */
  readonly lags: ReadonlyArray<PhaseLag>;
  /** When the first batch came to an address with `movedPath`; null: none did. */
  readonly movedMillis: number | null;
}

export type FromSink =
  | { readonly type: "listening"; readonly urls: ReadonlyArray<string> }
  | { readonly type: "counts"; readonly counts: ArrivalCounts }
  | Reckoning;

/** How often the threads tell of themselves. */
export const tellMillis = 250;
