import type { WaitingBuffer } from "../residency/waiting-buffer.ts";
import { ByPair } from "./by-pair.ts";

interface Orphan {
  readonly pairKey: string;
  /** What came for its pair under a set that is not adopted here yet: the job may be back in that set. */
  early: WaitingBuffer | undefined;
  /** The store has no trace of it: asked once in a claim. */
  isForgotten: boolean;
}

/**
 * Jobs that are in no set although the store does not say that they were removed. Absence is never deletion: their rows
 * stay where those of all others are. One with records pending is dealt to like a disabled job, for what lies after its
 * cursor is read again as a whole when it is back. One without begins where it is back.
 */
export class Orphans {
  private readonly jobs = new Map<string, Orphan>();
  private readonly byPair = new ByPair<string>();

  add(job: string, pairKey: string): void {
    this.jobs.set(job, { pairKey, early: undefined, isForgotten: false });
    this.byPair.add(pairKey, job);
  }

  get size(): number {
    return this.jobs.size;
  }

  has(job: string): boolean {
    return this.jobs.has(job);
  }

  pairOf(job: string): string | undefined {
    return this.jobs.get(job)?.pairKey;
  }

  ofPair(pairKey: string): ReadonlyArray<string> {
    return this.byPair.get(pairKey);
  }

  /** Those that the store is to be asked about. */
  unexplained(): ReadonlyArray<string> {
    return [...this.jobs].flatMap(([job, { isForgotten }]) => (isForgotten ? [] : [job]));
  }

  forgotten(job: string): void {
    const orphan = this.jobs.get(job);
    if (orphan !== undefined) orphan.isForgotten = true;
  }

  /** Where early chunks of a job are counted, which has nothing pending in its row. */
  early(job: string, make: () => WaitingBuffer): WaitingBuffer {
    return (this.jobs.get(job)!.early ??= make());
  }

  /** A set was adopted, and what came early of this pair was for others. */
  forgetEarly(pairKey: string): void {
    for (const job of this.ofPair(pairKey)) this.jobs.get(job)!.early = undefined;
  }

  /** It is back, or removed. Answers what came early, if anything did that its row does not count. */
  take(job: string): WaitingBuffer | undefined {
    const orphan = this.jobs.get(job);
    if (orphan === undefined) return undefined;
    this.jobs.delete(job);
    this.byPair.remove(orphan.pairKey, job);
    return orphan.early?.origin().uncounted === undefined ? undefined : orphan.early;
  }
}
