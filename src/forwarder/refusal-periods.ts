import type { DoorRefusal, Receipt } from "../actors/ports/checkpoints.ts";
import type { HeldBackPair } from "./held-back.ts";
import { type HeldBackReason, heldBackReasons } from "./refusals.ts";

export interface RefusalPeriodsOptions {
  readonly nodeName: string;
  /** Customer, dataset and reason together; what is beyond is summed per reason. */
  readonly refusalPeriodsMax: number;
  /** A period ends when nothing was refused for so long … */
  readonly refusalQuietMillis: number;
  /** … and goes on in another receipt after so long. */
  readonly refusalPeriodMillisMax: number;
}

/** A receipt that is to be stored. It never changes again, so that storing it twice leaves one. */
export interface RefusalReceipt extends Receipt {
  readonly partition: number;
  readonly refusal: DoorRefusal & { readonly door: HeldBackReason };
}

interface Period {
  readonly fromMillis: number;
  toMillis: number;
  records: number;
  bytes: number;
}

interface Entry {
  readonly partition: number;
  readonly customer: string;
  readonly dataset: string;
  readonly door: HeldBackReason;
  open: Period | undefined;
  /** Ended, and not known to be stored yet: no other is ended before it is. */
  ended: RefusalReceipt | undefined;
  endedMillis: number;
}

/** Neither is an id: no customer, dataset or push job is called so. */
export const otherCustomers = "_others";
export const jobOfRefusals = "_door";

/**
 * Whose records the door holds back, since when and how many: one period per customer, dataset and reason. Bounded
 * whatever the store does: while the receipt of a period cannot be stored, the next period takes all that follows.
 */
export class RefusalPeriods {
  private readonly options: RefusalPeriodsOptions;
  private readonly byKey = new Map<string, Entry>();
  private readonly others: Readonly<Record<HeldBackReason, Entry>>;

  constructor(options: RefusalPeriodsOptions) {
    this.options = options;
    this.others = {
      "over-quota": newOther("over-quota"),
      newcomer: newOther("newcomer"),
      "over-share": newOther("over-share"),
      "log-full": newOther("log-full"),
      "switched-off": newOther("switched-off"),
    };
  }

  /** One body's refusals. */
  add(heldBack: Iterable<HeldBackPair>, nowMillis: number): void {
    for (const { bytes, pair, reason, records } of heldBack) {
      const entry = this.entryOf(pair, reason);
      const fromMillis = Math.max(nowMillis, entry.endedMillis + 1);
      const open = (entry.open ??= { fromMillis, toMillis: fromMillis, records: 0, bytes: 0 });
      open.toMillis = Math.max(open.toMillis, nowMillis);
      open.records += records;
      open.bytes += bytes;
    }
  }

  /** How many customers' datasets, per reason, are kept apart at this moment. */
  get size(): number {
    return this.byKey.size;
  }

  /** How many receipts are still to be stored, those of periods that go on included. */
  waiting(): number {
    let count = 0;
    for (const { ended, open } of this.entries()) count += (ended === undefined ? 0 : 1) + (open === undefined ? 0 : 1);
    return count;
  }

  /** Ends what is over, or everything. Answers all that is ended and not stored, at most `countMax`. */
  due(nowMillis: number, countMax: number, everything: boolean): ReadonlyArray<RefusalReceipt> {
    const receipts: Array<RefusalReceipt> = [];
    for (const entry of this.entries()) {
      if (receipts.length >= countMax) break;
      if (entry.ended === undefined && entry.open !== undefined && (everything || this.isOver(entry.open, nowMillis))) {
        entry.ended = receiptOf(entry, entry.open, this.options.nodeName);
        entry.endedMillis = entry.open.toMillis;
        entry.open = undefined;
      }
      if (entry.ended !== undefined) receipts.push(entry.ended);
    }
    return receipts;
  }

  /** These are stored. */
  stored(receipts: ReadonlyArray<RefusalReceipt>): void {
    for (const receipt of receipts) {
      const { customer, dataset, refusal } = receipt;
      const key = keyOf(`${customer}.${dataset}`, refusal.door);
      const entry = customer === otherCustomers ? this.others[refusal.door] : this.byKey.get(key);
      if (entry?.ended !== receipt) continue;
      entry.ended = undefined;
      if (entry.open === undefined) this.byKey.delete(key);
      else if (this.byKey.delete(key)) this.byKey.set(key, entry);
    }
  }

  private *entries(): Generator<Entry> {
    yield* this.byKey.values();
    for (const reason of heldBackReasons) yield this.others[reason];
  }

  private entryOf({ customer, dataset, key: pairKey, partition }: HeldBackPair["pair"], door: HeldBackReason): Entry {
    const key = keyOf(pairKey, door);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    if (this.byKey.size >= this.options.refusalPeriodsMax) return this.others[door];
    const entry = newEntry(partition, customer, dataset, door);
    this.byKey.set(key, entry);
    return entry;
  }

  private isOver({ fromMillis, toMillis }: Period, nowMillis: number): boolean {
    const { refusalPeriodMillisMax, refusalQuietMillis } = this.options;
    return nowMillis - toMillis >= refusalQuietMillis || nowMillis - fromMillis >= refusalPeriodMillisMax;
  }
}

const keyOf = (pairKey: string, door: HeldBackReason): string => `${pairKey}.${door}`;

const newEntry = (partition: number, customer: string, dataset: string, door: HeldBackReason): Entry => ({
  partition,
  customer,
  dataset,
  door,
  open: undefined,
  ended: undefined,
  endedMillis: 0,
});

const newOther = (door: HeldBackReason): Entry => newEntry(0, otherCustomers, otherCustomers, door);

const receiptOf = ({ customer, dataset, door, partition }: Entry, period: Period, node: string): RefusalReceipt => ({
  partition,
  customer,
  dataset,
  job: jobOfRefusals,
  firstSequence: 0,
  lastSequence: 0,
  records: period.records,
  bytes: period.bytes,
  reason: "refused",
  millis: period.toMillis,
  refusal: { door, fromMillis: period.fromMillis, node },
});
