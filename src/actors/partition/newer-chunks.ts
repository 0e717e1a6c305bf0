import type { Tally } from "../../domain/books.ts";
import type { FormerLife } from "../ports/checkpoints.ts";
import type { Chunk, LogMessage } from "../ports/log.ts";

/** Chunks of one pair, as one. */
export interface Chunks {
  /** The first of them. */
  readonly first: number;
  readonly last: number;
  /** JetStream time of the first, epoch millis. */
  readonly millis: number;
  readonly records: number;
  /** Uncompressed. */
  readonly bytes: number;
}

/** Those of them that are in the books of the same jobs. */
interface Part extends Chunks {
  /** Jobs that are gone or in no set, or were. */
  readonly holders: ReadonlyArray<string>;
}

interface Kept {
  /** The newest job set that any of them was accepted under. */
  readonly newest: number;
  /** In their order. Few: one ends where the books of a job begin or end. */
  readonly parts: ReadonlyArray<Part>;
  readonly isCut: boolean;
}

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
   * @param holders jobs that are gone, or in no set, in whose books it is
   * @returns false: there are too many pairs; a new job of this one will begin where the owner stands then
   */
  note(
    { jobSet, millis, sequence }: LogMessage,
    { bytes, pairKey, records }: Chunk,
    holders: ReadonlyArray<string> = [],
  ): boolean {
    const known = this.pairs.get(pairKey);
    if (known === undefined && this.pairs.size >= pairsMax) return false;
    const part = { first: sequence, last: sequence, millis, records, bytes, holders };
    this.pairs.set(
      pairKey,
      known === undefined
        ? { newest: jobSet, parts: [part], isCut: false }
        : { newest: Math.max(known.newest, jobSet), parts: withPart(known, part), isCut: false },
    );
    return true;
  }

  /** A job of the pair begins after the last of them: what comes now is a part of its own. */
  cut(pairKey: string): void {
    const known = this.pairs.get(pairKey);
    if (known !== undefined) this.pairs.set(pairKey, { ...known, isCut: true });
  }

  /** A job of the pair is gone. Of what came here since its start all but `left` is in its books. */
  leave(job: string, { counted, pairKey, start }: FormerLife, left: Tally): void {
    const known = this.pairs.get(pairKey);
    if (known === undefined || counted < known.parts[0]!.first - 1) return;
    const earlier = known.parts.filter(({ first }) => first <= start);
    const { after, before } = splitAt(known.parts.slice(earlier.length), counted, left);
    const without = ({ holders }: Part) => holders.filter((each) => each !== job);
    const parts = [
      ...earlier,
      ...before.map((part) => ({ ...part, holders: [...without(part), job] })),
      ...after.map((part) => ({ ...part, holders: without(part) })),
    ];
    this.pairs.set(pairKey, { ...known, parts });
  }

  has(pairKey: string): boolean {
    return this.pairs.has(pairKey);
  }

  /** What of them comes after a sequence at which a job of the pair begins. */
  after(pairKey: string, start: number): Chunks | undefined {
    const parts = (this.pairs.get(pairKey)?.parts ?? []).filter(({ first }) => first > start);
    return parts.length === 0 ? undefined : together(parts);
  }

  /**
   * With which of them a job begins.
   *
   * @param former up to here they are in the books of one of its name that is gone
   */
  dueTo(job: string, pairKey: string, former: number): Chunks | undefined {
    const known = this.pairs.get(pairKey);
    if (known === undefined || former < known.parts[0]!.first) return this.after(pairKey, former);
    const parts = known.parts.slice(known.parts.findLastIndex(({ holders }) => holders.includes(job)) + 1);
    return parts.length === 0 ? undefined : together(parts);
  }

  /**
   * A set was adopted: what came under it, or under an earlier one, has found its jobs.
   *
   * @returns of each pair what is in the books of nobody who is gone
   */
  adopted(jobSet: number): ReadonlyArray<readonly [pairKey: string, chunks: ReadonlyArray<Chunks>]> {
    const settled = [...this.pairs].filter(([, { newest }]) => newest <= jobSet);
    for (const [pairKey] of settled) this.pairs.delete(pairKey);
    return settled.map(([pairKey, { parts }]) => [pairKey, parts.filter(({ holders }) => holders.length === 0)]);
  }

  /** The scan may not pass what only memory knows. */
  scanBound(): number {
    for (const { parts } of this.pairs.values()) return parts[0]!.first - 1;
    return Number.MAX_SAFE_INTEGER;
  }
}

/** @param parts in their order, at least one */
export const together = (parts: ReadonlyArray<Chunks>): Chunks => {
  let records = 0;
  let bytes = 0;
  for (const part of parts) {
    records += part.records;
    bytes += part.bytes;
  }
  const { first, millis } = parts[0]!;
  return { first, last: parts.at(-1)!.last, millis, records, bytes };
};

const withPart = ({ isCut, parts }: Kept, part: Part): ReadonlyArray<Part> => {
  const last = parts.at(-1)!;
  const isSame =
    !isCut &&
    last.holders.length === part.holders.length &&
    last.holders.every((job, index) => part.holders[index] === job);
  if (!isSame) return [...parts, part];
  return [...parts.slice(0, -1), { ...together([last, part]), holders: last.holders }];
};

/** @param left how much it is that comes after this sequence */
const splitAt = (parts: ReadonlyArray<Part>, to: number, left: Tally) => {
  const before = parts.filter(({ last }) => last <= to);
  const after = parts.filter(({ first }) => first > to);
  const across = parts[before.length];
  if (across === undefined || across.first > to) return { before, after };
  const records = left.records - after.reduce((sum, part) => sum + part.records, 0);
  const bytes = left.bytes - after.reduce((sum, part) => sum + part.bytes, 0);
  if (records <= 0) return { before: [...before, across], after };
  const earlier = { ...across, last: to, records: across.records - records, bytes: across.bytes - bytes };
  return { before: [...before, earlier], after: [{ ...across, first: to + 1, records, bytes }, ...after] };
};
