import { pairKey } from "../domain/partition.ts";
import type { StoredJob } from "../domain/push-job.ts";
import type { JobTable } from "../streams/job-table.ts";

/**
 * Absence is never deletion: for some time after a job was removed, forwarders go on storing for its customer and
 * dataset, and its owner keeps its place in the log. Whoever takes the removal back meanwhile has lost nothing.
 */
export class RemovalGrace {
  private readonly table: JobTable;
  private readonly graceMillis: () => number;
  /** Removed jobs, and until when they are kept, epoch millis. */
  private readonly jobs = new Map<string, number>();
  private readonly pairs = new Map<string, number>();

  constructor(table: JobTable, graceMillis: () => number) {
    this.table = table;
    this.graceMillis = graceMillis;
  }

  /** Removed jobs that are kept. */
  size(): number {
    return this.jobs.size;
  }

  /** A job was removed at a time. False: that is too long ago. */
  hold(last: StoredJob, removedMillis: number, nowMillis: number): boolean {
    // A clock that is ahead must not keep it for ever.
    const untilMillis = Math.min(removedMillis, nowMillis) + this.graceMillis();
    if (untilMillis <= nowMillis) return false;
    const wasEnabled = last.job.enabled;
    this.table.retire(last);
    this.jobs.set(last.job.id, untilMillis);
    if (wasEnabled) this.keepPair(pairKey(last.job.customer, last.job.dataset), untilMillis);
    return true;
  }

  /** It is in a snapshot again. */
  back(id: string): void {
    this.jobs.delete(id);
  }

  /** A job of this pair is enabled. */
  used(key: string): void {
    if (this.pairs.delete(key)) this.table.retain(key, false);
  }

  /** An enabled job of this pair is enabled no more. */
  unused(key: string, nowMillis: number): void {
    const graceMillis = this.graceMillis();
    if (graceMillis > 0) this.keepPair(key, nowMillis + graceMillis);
  }

  /** Lets go of what is over. Answers whether anything was. */
  end(nowMillis: number): boolean {
    let isChanged = false;
    for (const [id, untilMillis] of this.jobs) {
      if (untilMillis > nowMillis) continue;
      this.jobs.delete(id);
      if (this.table.isRetired(id)) this.table.delete(id);
      isChanged = true;
    }
    for (const [key, untilMillis] of this.pairs) {
      if (untilMillis > nowMillis) continue;
      this.used(key);
      isChanged = true;
    }
    return isChanged;
  }

  private keepPair(key: string, untilMillis: number): void {
    this.pairs.set(key, Math.max(untilMillis, this.pairs.get(key) ?? 0));
    this.table.retain(key, true);
  }
}
