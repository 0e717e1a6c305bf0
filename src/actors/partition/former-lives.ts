import type { FormerLife } from "../ports/checkpoints.ts";

/**
 * Jobs that are gone, where their books go further than the register's scan: a restart reads their chunks again, and
 * must neither book them again nor give them to another job of the same name. That one's row takes the place of theirs,
 * so it tells of them as long as the scan has not passed them.
 */
export class FormerLives {
  private readonly lives = new Map<string, ReadonlyArray<FormerLife>>();

  add(job: string, life: FormerLife, scan: number): void {
    if (life.counted <= scan) return;
    this.lives.set(job, [...this.of(job, scan), life]);
  }

  /** What of them is of use yet. */
  of(job: string, scan: number): ReadonlyArray<FormerLife> {
    const known = this.lives.get(job);
    if (known === undefined) return [];
    const left = known.filter(({ counted }) => counted > scan);
    if (left.length === 0) this.lives.delete(job);
    else this.lives.set(job, left);
    return left;
  }

  /** Up to here chunks of a pair are in the books of those that had this name; 0: of none. */
  endOf(job: string, pairKey: string): number {
    const known = this.lives.get(job) ?? [];
    return known.reduce((end, life) => (life.pairKey === pairKey ? Math.max(end, life.counted) : end), 0);
  }

  /** The scan has come this far. */
  forget(scan: number): void {
    for (const job of this.lives.keys()) this.of(job, scan);
  }
}
