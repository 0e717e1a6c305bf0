import { mergedIds } from "../domain/merged-ids.ts";
import { pairKey } from "../domain/partition.ts";
import type { StoredJob } from "../domain/push-job.ts";
import { JobTable, type PackedJob } from "./job-table.ts";
import { WrittenTogether } from "./written-together.ts";

/** A job that was removed from the store, and is in force, or about to be, all the same. */
export interface PendingRemoval {
  readonly id: string;
  /** Of the removal. */
  readonly revision: number;
  readonly pairKey: string;
  /** Its last settings, as they are served; empty when they are not. */
  readonly last: Uint8Array;
}

/** What is stored and not in force, at one moment. */
export interface PendingJobs {
  readonly puts: () => Iterable<PackedJob>;
  readonly removals: () => Iterable<PendingRemoval>;
}

/**
 * The push jobs as the store has them: what is served, and in front of it what differs. So a million jobs are in memory
 * once, and what differs is exactly what is to be rolled out.
 */
export class StoredJobs {
  private readonly served: JobTable;
  private readonly waiting: JobTable;
  /**
   * One that waits as well is another job by now: it was removed, and its id was given to another customer or dataset.
   * A snapshot has the two in different segments, so the removal has to be in force before the other one may be.
   */
  private readonly removed = new Map<string, Omit<PendingRemoval, "id" | "last">>();
  private readonly together = new WrittenTogether();
  /** What is served was made from another store: equal revisions say nothing. */
  private isOtherStore = false;
  private count: number;

  constructor(served: JobTable, partitions: number) {
    this.served = served;
    this.waiting = new JobTable(partitions);
    this.count = served.size;
  }

  /** Jobs in the store. */
  get size(): number {
    return this.count;
  }

  /** Jobs that are stored otherwise than they are served. */
  get pending(): number {
    return this.waiting.size + this.removed.size;
  }

  has(id: string): boolean {
    return this.waiting.has(id) || (this.served.has(id) && !this.removed.has(id));
  }

  get(id: string): StoredJob | undefined {
    return this.waiting.get(id) ?? (this.removed.has(id) ? undefined : this.served.get(id));
  }

  /** Of the job that is served under an id; undefined: none is. */
  readonly servedPair = (id: string): string | undefined => this.served.brief(id)?.pairKey;

  /** In order. Nothing must change meanwhile. */
  *idsAfter(after: string | undefined): Generator<string> {
    for (const [id] of mergedIds([this.served.idsAfter(after), this.waiting.idsAfter(after)]))
      if (this.has(id)) yield id;
  }

  /** The store has this. */
  put(stored: StoredJob, data: Uint8Array): void {
    const { id } = stored.job;
    if (!this.has(id)) this.count += 1;
    const served = this.served.packedOf(id);
    this.noteRemovalBefore(stored, served);
    const isServed = served?.revision === stored.revision && (!this.isOtherStore || isSame(served.data, data));
    if (isServed) this.waiting.delete(id);
    else this.waiting.put(stored, data);
  }

  /**
   * The removal may not have been heard of by itself: of a job that was changed several times only the newest is read.
   * Then it was ordered before this revision, and after the one that is served.
   */
  private noteRemovalBefore({ job, revision }: StoredJob, served: PackedJob | undefined): void {
    const { customer, dataset, id } = job;
    if (served === undefined || served.pairKey === pairKey(customer, dataset)) this.removed.delete(id);
    else if (!this.removed.has(id)) this.removed.set(id, { revision: revision - 1, pairKey: served.pairKey });
  }

  /** The store has the removal of this job. Served or not yet: a snapshot that has it may be on its way. */
  delete(id: string, revision: number): void {
    // Read once more from before, it was removed more than once: the last removal is the one that is in force.
    const of = this.served.brief(id) ?? this.waiting.brief(id) ?? this.removed.get(id);
    if (this.has(id)) this.count -= 1;
    this.waiting.delete(id);
    if (of !== undefined) this.removed.set(id, { revision, pairKey: of.pairKey });
  }

  /** Whether what is served was made from another store than this one. */
  setOtherStore(isOther: boolean): void {
    this.isOtherStore = isOther;
  }

  /** What is served of these jobs is another than before. */
  settle(ids: Iterable<string>): void {
    let isEmpty = true;
    for (const id of ids) {
      isEmpty = false;
      this.settleOne(id);
    }
    if (isEmpty) return;
    if (this.pending === 0) this.together.clear();
    let count = this.served.size;
    for (const id of this.removed.keys()) if (this.served.has(id)) count -= 1;
    for (const { id } of this.waiting.packed()) if (!this.served.has(id) || this.removed.has(id)) count += 1;
    this.count = count;
  }

  private settleOne(id: string): void {
    const served = this.served.brief(id);
    const removed = this.removed.get(id);
    // Served at a later revision: that is the job that has the id since.
    const isPast = removed !== undefined && served !== undefined && removed.revision < served.revision;
    if (served === undefined || (isPast && !this.isOtherStore)) this.removed.delete(id);
    if (served !== undefined && this.waiting.brief(id)?.revision === served.revision) this.waiting.delete(id);
  }

  /**
   * Whether exactly this change is stored and not in force.
   *
   * @param data the job as it is stored; of a removal whatever
   */
  isPending(id: string, revision: number, data: Uint8Array): boolean {
    if (this.removed.get(id)?.revision === revision) return true;
    const waiting = this.waiting.packedOf(id);
    return waiting?.revision === revision && isSame(waiting.data, data);
  }

  /** Of the changes that are not in force, those up to a revision. */
  pendingUpTo(revision: number): number {
    let count = 0;
    for (const each of this.waiting.packed()) if (each.revision <= revision) count += 1;
    for (const each of this.removed.values()) if (each.revision <= revision) count += 1;
    return count;
  }

  /** One transaction wrote these, at revisions from `first` to `last`; they have been put or deleted. */
  wroteTogether(ids: ReadonlyArray<string>, first: number, last: number): void {
    const keys = ids.flatMap((id) => [this.waiting.brief(id)?.pairKey, this.removed.get(id)?.pairKey]);
    const customers = new Set(keys.flatMap((key) => (key === undefined ? [] : [key.slice(0, key.indexOf("."))])));
    this.together.note({ first, last, customers }, () => this.pendingFrom());
  }

  /**
   * These customers, and whoever must not come into force later, since one transaction has changed them all.
   *
   * @param pending revisions that are not in force
   */
  withWrittenTogether(customers: Iterable<string>, pending: ReadonlyArray<number>): ReadonlySet<string> {
    return this.together.with(customers, pending);
  }

  private pendingFrom(): number {
    let lowest = Infinity;
    for (const { revision } of this.waiting.packed()) lowest = Math.min(lowest, revision);
    for (const { revision } of this.removed.values()) lowest = Math.min(lowest, revision);
    return lowest;
  }

  /** Without those whose id is still served as another job. Nothing must change meanwhile. */
  pendingPuts(): Generator<PackedJob> {
    return putsIn(this.waiting.packed(), this.removed);
  }

  /** What is pending now: to be gone through later, and more than once, whatever is stored meanwhile. */
  pendingAsNow(): PendingJobs {
    const [waiting, removed] = [this.waiting.packedAsNow(), new Map(this.removed)];
    return { puts: () => putsIn(waiting, removed), removals: () => this.removalsIn(removed) };
  }

  /** The lowest revision of those that `pendingPuts` leaves out; undefined: it leaves none out. */
  heldBackFrom(): number | undefined {
    let lowest: number | undefined;
    for (const id of this.removed.keys()) {
      const revision = this.waiting.brief(id)?.revision;
      if (revision !== undefined) lowest = Math.min(revision, lowest ?? revision);
    }
    return lowest;
  }

  /** Nothing must change meanwhile. */
  pendingRemovals(): Generator<PendingRemoval> {
    return this.removalsIn(this.removed);
  }

  private *removalsIn(removed: typeof this.removed): Generator<PendingRemoval> {
    for (const [id, removal] of removed) {
      yield { id, ...removal, last: this.served.packedOf(id)?.data ?? new Uint8Array() };
    }
  }

  /** After many have come: gives back what was in reserve for more. */
  trim(): void {
    this.waiting.trim();
  }
}

function* putsIn(waiting: Iterable<PackedJob>, removed: ReadonlyMap<string, unknown>): Generator<PackedJob> {
  for (const each of waiting) if (!removed.has(each.id)) yield each;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
