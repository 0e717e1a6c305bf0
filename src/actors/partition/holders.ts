import type { FormerLife } from "../ports/checkpoints.ts";
import { ByPair } from "./by-pair.ts";

interface Life extends FormerLife {
  readonly job: string;
}

/**
 * Jobs that are gone, or in no set, in whose books there are chunks that this owner has not read since its claim: the
 * log is read again from before where their rows have counted, and nothing else remembers whose those chunks are.
 */
export class Holders {
  private readonly lives = new ByPair<Life>();

  /**
   * What is known of a job's life from now on, in place of what was known of it before.
   *
   * @param position the reader's: what it has passed will not come again
   */
  set(job: string, { counted, pairKey, start }: FormerLife, position: number): void {
    const before = this.lives.get(pairKey).find((life) => life.job === job && life.start === start);
    if (before !== undefined) this.lives.remove(pairKey, before);
    if (counted > position) this.lives.add(pairKey, { job, pairKey, start, counted });
  }

  /** In whose books a chunk is. */
  of(pairKey: string, sequence: number): ReadonlyArray<string> {
    const lives = this.lives.get(pairKey);
    if (lives.length === 0) return nobody;
    return lives.filter(({ counted, start }) => sequence > start && sequence <= counted).map(({ job }) => job);
  }
}

const nobody: ReadonlyArray<string> = [];
