import type { Chunk, LogMessage } from "../ports/log.ts";

/** Chunks of one pair that came while this owner did not know yet for whom, as one. */
export interface EarlyChunks {
  /** The first of them. */
  readonly first: number;
  readonly last: number;
  /** JetStream time of that, epoch millis. */
  readonly millis: number;
  readonly records: number;
  /** Uncompressed. */
  readonly bytes: number;
}

interface Kept extends EarlyChunks {
  /** The newest job set that any of them was accepted under. */
  readonly newest: number;
}

/** More pairs than a partition of a node at its limit has. */
const pairsMax = 100_000;

/**
 * Chunks that a forwarder accepted under a job set which this owner has not adopted yet, pair by pair: a job that comes
 * with that set begins at the first of them. Kept in memory only, and so the scan waits at the first of all: whoever
 * takes the partition over reads them again.
 */
export class NewerChunks {
  /** In the order of their first sequences, for that is the order in which they come. */
  private readonly pairs = new Map<string, Kept>();

  get size(): number {
    return this.pairs.size;
  }

  /** False: there are too many pairs; a new job of this one will begin where the owner stands then. */
  note({ jobSet, millis, sequence }: LogMessage, { bytes, pairKey, records }: Chunk): boolean {
    const known = this.pairs.get(pairKey);
    if (known === undefined && this.pairs.size >= pairsMax) return false;
    this.pairs.set(
      pairKey,
      known === undefined
        ? { first: sequence, last: sequence, millis, records, bytes, newest: jobSet }
        : {
            ...known,
            last: sequence,
            records: known.records + records,
            bytes: known.bytes + bytes,
            newest: Math.max(known.newest, jobSet),
          },
    );
    return true;
  }

  of(pairKey: string): EarlyChunks | undefined {
    return this.pairs.get(pairKey);
  }

  /** A set was adopted: what came under it, or under an earlier one, has found its jobs. */
  adopted(jobSet: number): ReadonlyArray<readonly [pairKey: string, chunks: EarlyChunks]> {
    const settled = [...this.pairs].filter(([, { newest }]) => newest <= jobSet);
    for (const [pairKey] of settled) this.pairs.delete(pairKey);
    return settled;
  }

  /** The scan may not pass what only memory knows. */
  scanBound(): number {
    for (const { first } of this.pairs.values()) return first - 1;
    return Number.MAX_SAFE_INTEGER;
  }
}
