import type { JobAbsence } from "../../../src/actors/ports/jobs.ts";
import type { StoredJob } from "../../../src/domain/push-job.ts";
import type { Adoption, RemovedEntry } from "../../../src/serving/serving-gate.ts";
import { encodeRemoval } from "../../../src/snapshot/removal.ts";
import type { SnapshotEntry } from "../../../src/snapshot/segment.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
import { storedJob } from "../../support/world.ts";
import type { Dice } from "../dice.ts";

export const customers = ["ant", "bee", "cat", "dog"];
/** Eight names; the first four customers of them have two jobs at most. */
export const jobIds = Array.from({ length: 8 }, (_, i) => `job-${i}`);
export const customerOf = (id: string): string => customers[Number(id.slice(4)) % customers.length]!;

/** No smaller than a stored job may have them: here batches end by time. */
const batches = [1, 2, 3].map((maxIntervalSeconds) => ({ maxBytes: 1_000_000, maxRecords: 1_000, maxIntervalSeconds }));

/** Numbered, whole, and never changed: what all nodes adopt, each at its own time. */
export interface SkewSnapshot {
  readonly number: number;
  readonly entries: ReadonlyMap<string, SnapshotEntry>;
  readonly isRollback: boolean;
}

/** The job store and the snapshots that were made of it. */
export class JobLedger {
  readonly snapshots: Array<SkewSnapshot> = [];
  /** How often what was done. */
  readonly counts = { added: 0, edited: 0, disabled: 0, enabled: 0, removed: 0, restored: 0, rolledBack: 0, thawed: 0 };
  private readonly dice: Dice;
  /** What the store has; a removed job's marker stays. */
  private readonly stored = new Map<string, SnapshotEntry>();
  private readonly history = new Map<string, StoredJob>();
  private revision = 0;
  /** A rollback freezes: what the store has is not what is in force. */
  private isFrozen = false;

  constructor(dice: Dice) {
    this.dice = dice;
    for (const id of jobIds.slice(0, 3)) this.put(id, true);
    this.publish(this.stored, false);
  }

  newest(): SkewSnapshot {
    return this.snapshots.at(-1)!;
  }

  /** Of a number that was made. */
  at(number: number): SkewSnapshot {
    return this.snapshots[number - 1]!;
  }

  atRevision(id: string, revision: number): StoredJob | undefined {
    return this.history.get(`${id} ${revision}`);
  }

  absence(id: string): JobAbsence {
    const entry = this.stored.get(id);
    return entry === undefined ? "forgotten" : entry.state === "removed" ? "removed" : "stored";
  }

  /** One change, as people make them, and the snapshot that comes of it. */
  change(nowMillis: number): void {
    const { dice } = this;
    if (this.isFrozen && dice.chance(0.5)) return this.thaw();
    if (this.isFrozen || (this.snapshots.length > 2 && dice.chance(0.15))) return this.rollBack();
    const id = dice.pick(jobIds);
    const { state } = this.stored.get(id) ?? {};
    if (state === undefined || state === "removed") {
      this.counts[state === undefined ? "added" : "restored"] += 1;
      this.put(id, true);
    } else if (state === "disabled") {
      this.counts.enabled += 1;
      this.put(id, true);
    } else if (dice.chance(0.55)) {
      this.counts.removed += 1;
      this.remove(id, nowMillis);
    } else {
      const enabled = dice.chance(0.4);
      this.counts[enabled ? "edited" : "disabled"] += 1;
      this.put(id, enabled);
    }
    this.publish(this.stored, false);
  }

  /** The last change takes back the one before it: a removal, a disabling. */
  revert(): void {
    const stopped = [...this.stored.values()].filter(({ state }) => state !== "enabled");
    if (this.isFrozen || stopped.length === 0) return;
    const { id } = stopped.toSorted((a, b) => b.revision - a.revision)[0]!;
    this.counts.restored += 1;
    this.put(id, true);
    this.publish(this.stored, false);
  }

  /** What the store has is in force again, with every job enabled. */
  settle(): void {
    for (const { id, state } of this.stored.values()) if (state === "disabled") this.put(id, true);
    this.isFrozen = false;
    this.publish(this.stored, false);
  }

  private thaw(): void {
    this.counts.thawed += 1;
    this.isFrozen = false;
    this.publish(this.stored, false);
  }

  /** An earlier content is in force again. What was added since is in it no more, and nothing says why. */
  private rollBack(): void {
    this.counts.rolledBack += 1;
    const back = this.dice.int(1, Math.min(4, this.snapshots.length - 1));
    this.isFrozen = true;
    this.publish(this.snapshots.at(-1 - back)!.entries, true);
  }

  private put(id: string, enabled: boolean): void {
    this.revision += 1;
    const { job, revision } = storedJob(id, customerOf(id), { enabled, batch: this.dice.pick(batches) }, this.revision);
    this.history.set(`${id} ${revision}`, { job, revision });
    const { customer, dataset } = job;
    const state = enabled ? "enabled" : "disabled";
    this.stored.set(id, { id, state, revision, customer, dataset, data: encodeJob(job) });
  }

  private remove(id: string, millis: number): void {
    this.revision += 1;
    const before = this.stored.get(id)!;
    const data = encodeRemoval({ millis, last: before.data });
    this.stored.set(id, { ...before, state: "removed", revision: this.revision, data });
  }

  private publish(entries: ReadonlyMap<string, SnapshotEntry>, isRollback: boolean): void {
    this.snapshots.push({ number: this.snapshots.length + 1, entries: new Map(entries), isRollback });
  }
}

const noData = new Uint8Array();

/** What a node that serves `before` has to do to serve `after`, as its gate says it. */
export const adoptionOf = (before: SkewSnapshot | undefined, after: SkewSnapshot): Adoption => {
  const put: Array<SnapshotEntry> = [];
  const removed: Array<RemovedEntry> = [];
  for (const entry of after.entries.values()) {
    const was = before?.entries.get(entry.id);
    if (entry.state === "removed") removed.push(entry);
    else if (was?.revision !== entry.revision || was.state !== entry.state) put.push(entry);
  }
  for (const { customer, id, revision, state } of before?.entries.values() ?? []) {
    if (state !== "removed" && !after.entries.has(id)) removed.push({ id, customer, revision, data: noData });
  }
  return { put, removed };
};
