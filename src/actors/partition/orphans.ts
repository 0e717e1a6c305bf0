import { ByPair } from "./by-pair.ts";

interface Orphan {
  readonly pairKey: string;
  /** Its books hold its pair up to here. */
  readonly counted: number;
  /** The store has no trace of it: asked once in a claim. */
  isForgotten: boolean;
  /** It was in the set before: that is why, and the store need not be asked. */
  readonly isExplained: boolean;
}

/**
 * Jobs that are in no set although the store does not say that they were removed. Absence is never deletion: their rows
 * stay where those of all others are. One with records pending is dealt to like a disabled job, for what lies after its
 * cursor is read again as a whole when it is back. One without begins anew when it is back.
 *
 * So are jobs that are gone, as long as less was read since the claim than their books hold: what of that came under a
 * set which is not adopted here yet, and may be for them, is not known before.
 */
export class Orphans {
  private readonly jobs = new Map<string, Orphan>();
  private readonly byPair = new ByPair<string>();

  add(job: string, { counted, pairKey }: Pick<Orphan, "pairKey" | "counted">, isExplained = false): void {
    this.jobs.set(job, { pairKey, counted, isForgotten: false, isExplained });
    this.byPair.add(pairKey, job);
  }

  has(job: string): boolean {
    return this.jobs.has(job);
  }

  ofPair(pairKey: string): ReadonlyArray<string> {
    return this.byPair.get(pairKey);
  }

  /** Those that may have to leave; but for those that are explained, the store is to be asked. */
  unsettled(): ReadonlyArray<string> {
    return [...this.jobs].flatMap(([job, { isForgotten }]) => (isForgotten ? [] : [job]));
  }

  /**
   * Whether all that its books hold was read since the claim.
   *
   * @param position the reader's
   */
  isReadAgain(job: string, position: number): boolean {
    return (this.jobs.get(job)?.counted ?? 0) <= position;
  }

  isExplained(job: string): boolean {
    return this.jobs.get(job)?.isExplained === true;
  }

  forgotten(job: string): void {
    const orphan = this.jobs.get(job);
    if (orphan !== undefined) orphan.isForgotten = true;
  }

  /** It is back, or removed. False: it is none of these. */
  take(job: string): boolean {
    const orphan = this.jobs.get(job);
    if (orphan === undefined) return false;
    this.jobs.delete(job);
    this.byPair.remove(orphan.pairKey, job);
    return true;
  }
}
