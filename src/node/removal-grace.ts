import { pairKey } from "../domain/partition.ts";
import type { StoredJob } from "../domain/push-job.ts";
import type { JobTable } from "../streams/job-table.ts";

/**
 * Owners keep a removed job so much longer than forwarders let its records in: each node judges the end by a clock of
 * its own, from when it adopted the removal itself, and looks once a second. What a slower one lets in meanwhile, and
 * what is on its way to the log, still finds its job.
 */
const ownersMillis = 10_000;

/** A removed job that is kept. Times are those of the steady clock: no jump of the other one ends or prolongs it. */
interface Kept {
  readonly pairKey: string;
  /** Of the removal. */
  readonly revision: number;
  readonly untilMillis: number;
  /** An entry of the snapshot tells of it: a node that starts later finds it there. */
  readonly isOrdered: boolean;
}

/** What no snapshot tells of a grace, for the next start of this node. */
export interface UntoldGrace {
  readonly jobs: ReadonlyArray<{ readonly stored: StoredJob; readonly leftMillis: number }>;
  readonly pairs: ReadonlyArray<{ readonly key: string; readonly leftMillis: number }>;
}

/**
 * Absence is never deletion: for some time after a job was removed, forwarders go on storing for its customer and
 * dataset, and its owner keeps its place in the log. Whoever takes the removal back meanwhile has lost nothing.
 */
export class RemovalGrace {
  private readonly table: JobTable;
  private readonly jobs = new Map<string, Kept>();
  /** Until when forwarders let in records of a pair that has no enabled job. */
  private readonly pairs = new Map<string, number>();

  constructor(table: JobTable) {
    this.table = table;
  }

  /** Removed jobs that are kept. */
  size(): number {
    return this.jobs.size;
  }

  kept(id: string): Pick<Kept, "pairKey" | "revision"> | undefined {
    return this.jobs.get(id);
  }

  /** A job was removed, and is kept until a time of the steady clock. */
  hold(last: StoredJob, untilMillis: number, isOrdered: boolean): void {
    const { customer, dataset, enabled, id } = last.job;
    const key = pairKey(customer, dataset);
    this.table.retire(last);
    this.jobs.set(id, { pairKey: key, revision: last.revision, untilMillis, isOrdered });
    if (enabled) this.keepPair(key, untilMillis);
  }

  /** It is in a snapshot again. */
  back(id: string): void {
    this.jobs.delete(id);
  }

  /** A job of this pair is enabled. */
  used(key: string): void {
    if (this.pairs.delete(key)) this.table.retain(key, false);
  }

  keepPair(key: string, untilMillis: number): void {
    this.pairs.set(key, Math.max(untilMillis, this.pairs.get(key) ?? 0));
    this.table.retain(key, true);
  }

  /** Lets go of what is over. Answers whether anything was. */
  end(nowMillis: number): boolean {
    let isChanged = false;
    for (const [key, untilMillis] of this.pairs) {
      if (untilMillis > nowMillis) continue;
      this.used(key);
      isChanged = true;
    }
    for (const [id, { untilMillis }] of this.jobs) {
      if (untilMillis + ownersMillis > nowMillis) continue;
      this.jobs.delete(id);
      if (this.table.isRetired(id)) this.table.delete(id);
      isChanged = true;
    }
    return isChanged;
  }

  untold(nowMillis: number): UntoldGrace {
    const jobs = [...this.jobs].flatMap(([id, { isOrdered, untilMillis }]) => {
      const stored = isOrdered ? undefined : this.table.retiredOf(id);
      return stored === undefined ? [] : [{ stored, leftMillis: untilMillis - nowMillis }];
    });
    return { jobs, pairs: [...this.pairs].map(([key, until]) => ({ key, leftMillis: until - nowMillis })) };
  }
}
