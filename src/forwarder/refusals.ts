/** Why a record was refused alone. Closed set: a metric label. */
export const refusedReasons = [
  "not-utf8",
  "not-an-object",
  "too-big",
  "no-customer",
  "bad-customer",
  "not-json",
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

  constructor(listedMax: number) {
    this.listedMax = listedMax;
  }

  add(line: number, reason: RefusedReason, detail: string, bytes: number): void {
    this.count += 1;
    this.bytes += bytes;
    this.byReason[reason] = (this.byReason[reason] ?? 0) + 1;
    if (this.listed.length < this.listedMax) this.listed.push({ line, reason, detail });
  }
}
