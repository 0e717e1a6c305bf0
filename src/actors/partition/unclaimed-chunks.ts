import type { FormerLife, Receipt } from "../ports/checkpoints.ts";
import { ByPair } from "./by-pair.ts";
import type { EarlyChunks } from "./newer-chunks.ts";

/** Stands in receipts where there is no job. It is no job's id. */
export const jobOfUnclaimed = "_unclaimed";

type Chunks = Omit<EarlyChunks, "millis">;

/** One receipt for each pair and period, however fast chunks come. */
const periodMillis = 10_000;
/** A receipt for each of so many pairs at once; of more, they come sooner. */
const pairsMax = 10_000;

/**
 * Chunks that no push job is there for: a forwarder went on storing for a job that is gone, or stored what nobody had
 * asked for. They were acknowledged and nobody will deliver them, so there are receipts of them. Until these are taken
 * the scan waits.
 */
export class UnclaimedChunks {
  private readonly pairs = new Map<string, Chunks>();
  private sinceMillis: number | undefined;
  /** Which chunks of a pair are in the books of jobs that are gone, where that is further than was read. */
  private readonly gone = new ByPair<FormerLife>();
  /** There were receipts up to here when the partition was claimed. */
  private readonly receiptedBefore: number;
  /** There are receipts up to here, but of what is set aside until its job set is adopted. */
  private receipted: number;

  constructor(receipted: number) {
    this.receiptedBefore = receipted;
    this.receipted = receipted;
  }

  note(pairKey: string, { bytes, first, last, records }: Chunks): void {
    if (last <= this.receiptedBefore || this.isBooked(pairKey, last)) return;
    const known = this.pairs.get(pairKey) ?? { first, last, records: 0, bytes: 0 };
    this.pairs.set(pairKey, {
      first: Math.min(known.first, first),
      last: Math.max(known.last, last),
      records: known.records + records,
      bytes: known.bytes + bytes,
    });
  }

  /**
   * After a restart the log is read again from before where a job's row has counted. Of a job that is gone nothing else
   * remembers that.
   *
   * @param position the reader's
   */
  booked(life: FormerLife, position: number): void {
    if (life.counted > position) this.gone.add(life.pairKey, life);
  }

  /** Whether a chunk is in the books of a job that is gone. */
  isBooked(pairKey: string, sequence: number): boolean {
    return this.gone.get(pairKey).some(({ counted, start }) => sequence > start && sequence <= counted);
  }

  /** @param nowMillis on a steady clock */
  isDue(nowMillis: number): boolean {
    if (this.pairs.size === 0) return false;
    this.sinceMillis ??= nowMillis;
    return nowMillis - this.sinceMillis >= periodMillis || this.isFull();
  }

  isFull(): boolean {
    return this.pairs.size >= pairsMax;
  }

  /**
   * @param position the reader's
   * @param millis epoch
   */
  take(position: number, millis: number): ReadonlyArray<Receipt> {
    const receipts = Array.from(this.pairs, ([pairKey, { bytes, first, last, records }]): Receipt => {
      const [customer = "", dataset = ""] = pairKey.split(".");
      const range = { firstSequence: first, lastSequence: last };
      return { customer, dataset, job: jobOfUnclaimed, ...range, records, bytes, reason: "unclaimed", millis };
    });
    this.pairs.clear();
    this.sinceMillis = undefined;
    this.receipted = position;
    return receipts;
  }

  /** For the register that is stored with the receipts: what is read again from before this has its receipts. */
  receiptedTo(): number {
    return this.receipted;
  }

  scanBound(): number {
    let first = Number.MAX_SAFE_INTEGER;
    for (const kept of this.pairs.values()) first = Math.min(first, kept.first);
    return first - 1;
  }
}
