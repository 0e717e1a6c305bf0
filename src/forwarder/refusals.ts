/**
 * Why a good record was held back: sent again later, it may get in. `over-quota`: its customer's backlog of this
 * dataset. `newcomer`: there is a surge, and its customer is new. `over-share`: its customer sends more than its share
 * of a log that turns over too fast. `log-full`: what nobody has read yet fills the partition's log. `switched-off`: a
 * kill switch is on.
 */
export const heldBackReasons = ["over-quota", "newcomer", "over-share", "log-full", "switched-off"] as const;
export type HeldBackReason = (typeof heldBackReasons)[number];

/** Why a record was refused alone. Closed set: a metric label. */
export const refusedReasons = [
  "not-utf8",
  "not-an-object",
  "too-big",
  "no-customer",
  "bad-customer",
  "not-json",
  ...heldBackReasons,
] as const;
export type RefusedReason = (typeof refusedReasons)[number];

export interface Refused {
  /** 1-based line of the inflated body; empty lines count as lines. */
  readonly line: number;
  readonly reason: RefusedReason;
  /** For people. Never a part of the record. */
  readonly detail: string;
}

/** The refused records of one body: all counted, the first few named. */
export class Refusals {
  private readonly listedMax: number;
  readonly listed: Array<Refused> = [];
  readonly byReason: Partial<Record<RefusedReason, number>> = {};
  count = 0;
  /** As they stood in the body, a newline each. */
  bytes = 0;

  /** Of `count`: good records that may get in later. */
  heldBack = 0;

  constructor(listedMax: number) {
    this.listedMax = listedMax;
  }

  add(line: number, reason: RefusedReason, detail: string, bytes: number): void {
    this.count += 1;
    this.bytes += bytes;
    this.byReason[reason] = (this.byReason[reason] ?? 0) + 1;
    if (this.listed.length < this.listedMax) this.listed.push({ line, reason, detail });
  }

  /** A good record whose customer must wait. */
  holdBack(line: number, reason: HeldBackReason, bytes: number): void {
    this.heldBack += 1;
    this.add(line, reason, heldBackDetails[reason], bytes);
  }
}

export const heldBackDetails: Readonly<Record<HeldBackReason, string>> = {
  "over-quota": "the customer's backlog of this dataset is over its quota: send it again later",
  newcomer: "the node takes no more of new customers for now: send it again later",
  "over-share": "the customer sends more than its share of the log can keep: send it again later",
  "log-full": "the log is full of records that were not read yet: send it again later",
  "switched-off": "a kill switch of the operator is on for it: keep it, and send it again later",
};
