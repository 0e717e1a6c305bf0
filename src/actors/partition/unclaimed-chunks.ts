import type { Receipt } from "../ports/checkpoints.ts";
import { type Chunks, together } from "./newer-chunks.ts";

/** Stands in receipts where there is no job. It is no job's id. */
export const jobOfUnclaimed = "_unclaimed";

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
  /** There were receipts up to here when the partition was claimed. */
  private readonly receiptedBefore: number;
  /** There are receipts up to here, but of what is set aside until its job set is adopted. */
  private receipted: number;

  constructor(receipted: number) {
    this.receiptedBefore = receipted;
    this.receipted = receipted;
  }

  /** Of one pair they come in their order. */
  note(pairKey: string, chunks: Chunks): void {
    if (chunks.last <= this.receiptedBefore) return;
    const known = this.pairs.get(pairKey);
    this.pairs.set(pairKey, known === undefined ? chunks : together([known, chunks]));
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
