import type { Tally } from "../../domain/books.ts";
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

type Range = Omit<EarlyChunks, "millis">;

interface Kept extends EarlyChunks {
  /** The newest job set that any of them was accepted under. */
  readonly newest: number;
  /** Without those that are in the books of jobs that are gone since. */
  readonly unbooked: Range | undefined;
  /** By job that is gone since: up to where it has booked them, and how many. */
  readonly bookedBy: ReadonlyMap<string, Tally & { readonly to: number }>;
}

const nobody: Kept["bookedBy"] = new Map();

/** More pairs than a partition of a node at its limit has. */
const pairsMax = 100_000;

/**
 * Chunks that a forwarder accepted under a job set which this owner has not adopted yet, pair by pair: a job that comes
 * with that set begins at the first of them. From there on its pair is read again as a whole, so that whatever comes
 * after the first is noted too, be it of another forwarder that acts on an older set.
 *
 * Kept in memory only, and so the scan waits at the first of all: whoever takes the partition over reads them again.
 */
export class NewerChunks {
  /** In the order of their first sequences, for that is the order in which they come. */
  private readonly pairs = new Map<string, Kept>();

  get size(): number {
    return this.pairs.size;
  }

  /**
   * @param isBooked whether it is in the books of a job that is gone
   * @returns false: there are too many pairs; a new job of this one will begin where the owner stands then
   */
  note({ jobSet, millis, sequence }: LogMessage, { bytes, pairKey, records }: Chunk, isBooked = false): boolean {
    const known = this.pairs.get(pairKey);
    if (known === undefined && this.pairs.size >= pairsMax) return false;
    const one = { first: sequence, last: sequence, records, bytes };
    const unbooked = [known?.unbooked, isBooked ? undefined : one].filter((each) => each !== undefined);
    this.pairs.set(
      pairKey,
      known === undefined
        ? { ...one, millis, newest: jobSet, unbooked: sumOf(unbooked), bookedBy: nobody }
        : {
            ...known,
            ...together(known, one),
            newest: Math.max(known.newest, jobSet),
            unbooked: sumOf(unbooked),
          },
    );
    return true;
  }

  /** A job of the pair is gone: of what came here, all but `left` is in its books, which go to this sequence. */
  leave(job: string, pairKey: string, to: number, left: Tally): void {
    const known = this.pairs.get(pairKey);
    if (known === undefined || to < known.first - 1) return;
    const { bookedBy, bytes, last, records, unbooked } = known;
    const rest = left.records === 0 ? undefined : { first: to + 1, last, ...left };
    this.pairs.set(pairKey, {
      ...known,
      unbooked: unbooked === undefined || unbooked.first > to ? unbooked : rest,
      bookedBy: new Map(bookedBy).set(job, { to, records: records - left.records, bytes: bytes - left.bytes }),
    });
  }

  of(pairKey: string): EarlyChunks | undefined {
    return this.pairs.get(pairKey);
  }

  /**
   * With which of them a job begins.
   *
   * @param former up to here they are in the books of one of its name that is gone
   */
  dueTo(job: string, pairKey: string, former: number): EarlyChunks | undefined {
    const known = this.pairs.get(pairKey);
    if (known === undefined || former < known.first) return known;
    const booked = known.bookedBy.get(job);
    // Read again after a restart, it is not known whose they were.
    if (booked === undefined)
      return known.unbooked === undefined || known.unbooked.first <= former
        ? undefined
        : { ...known, ...known.unbooked };
    const [records, bytes] = [known.records - booked.records, known.bytes - booked.bytes];
    return records === 0 ? undefined : { ...known, first: booked.to + 1, records, bytes };
  }

  /**
   * A set was adopted: what came under it, or under an earlier one, has found its jobs.
   *
   * @returns of each pair what is in nobody's books, unless there is a job now
   */
  adopted(jobSet: number): ReadonlyArray<readonly [pairKey: string, chunks: Range | undefined]> {
    const settled = [...this.pairs].filter(([, { newest }]) => newest <= jobSet);
    for (const [pairKey] of settled) this.pairs.delete(pairKey);
    return settled.map(([pairKey, { unbooked }]) => [pairKey, unbooked]);
  }

  /** The scan may not pass what only memory knows. */
  scanBound(): number {
    for (const { first } of this.pairs.values()) return first - 1;
    return Number.MAX_SAFE_INTEGER;
  }
}

const together = (earlier: Range, later: Range): Range => ({
  first: earlier.first,
  last: later.last,
  records: earlier.records + later.records,
  bytes: earlier.bytes + later.bytes,
});

const sumOf = ([first, ...others]: ReadonlyArray<Range>): Range | undefined =>
  first === undefined ? undefined : others.reduce(together, first);
