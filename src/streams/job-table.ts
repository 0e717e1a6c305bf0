import type { JobBrief, JobSet } from "../actors/ports/jobs.ts";
import { IdOrder } from "../domain/id-order.ts";
import { KeyedBytes } from "../domain/keyed-bytes.ts";
import { makePair, type Pair, pairKey } from "../domain/partition.ts";
import { disabled, type StoredJob } from "../domain/push-job.ts";
import { decodeStoredJob, encodeJob } from "./job-codec.ts";
import { LookupMap } from "./lookup-map.ts";

/** A job as the table holds it; `data` is the JSON that the store has. */
export interface PackedJob extends JobBrief {
  readonly id: string;
  readonly data: Uint8Array;
}

/** 2^14 segments: of a million jobs, some 60 are in each, and a change to one job copies those. */
const segmentBits = 14;
/** Pairs that a set has found are remembered, so many at most. */
const pairsSeenMax = 65_536;

/**
 * All push jobs as the bytes that they are stored as, and all pairs: about 400 bytes a job. An object is made of a job
 * when somebody asks for it. `set` gives out what is true at that moment, at the cost of what changed since.
 */
export class JobTable {
  private readonly partitions: number;
  private readonly jobs = new KeyedBytes(segmentBits);
  private readonly byPair = new KeyedBytes(segmentBits);
  private readonly order = new IdOrder(() => this.jobs.keys());
  /** Removed, and still there as disabled for those that have a set: see `retire`. */
  private readonly retired = new Set<string>();
  /** Pairs that forwarders let in although none of their jobs is enabled. */
  private readonly retained = new Set<string>();
  private enabledPairs = 0;
  private readonly pairs = new Map<string, Pair>();
  private last: TableSet | undefined;
  private jobsChanged = true;
  private pairsChanged = true;

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  get size(): number {
    return this.jobs.size - this.retired.size;
  }

  has(id: string): boolean {
    return this.jobs.has(id) && !this.retired.has(id);
  }

  get(id: string): StoredJob | undefined {
    return this.retired.has(id) ? undefined : storedIn(this.jobs, id);
  }

  brief(id: string): JobBrief | undefined {
    const value = this.valueOf(id);
    return value === undefined ? undefined : briefIn(value);
  }

  packedOf(id: string): PackedJob | undefined {
    const value = this.valueOf(id);
    return value === undefined ? undefined : unpacked(id, value);
  }

  /** In no particular order. The table must not change meanwhile. */
  packed(): Generator<PackedJob> {
    return packedIn(this.jobs, this.retired);
  }

  /** As they are now: to be gone through later, and more than once, whatever changes meanwhile. In no order. */
  packedAsNow(): Iterable<PackedJob> {
    const [jobs, retired] = [this.jobs.snapshot(), new Set(this.retired)];
    return { [Symbol.iterator]: () => packedIn(jobs, retired) };
  }

  /** In order. The table must not change meanwhile. */
  *idsAfter(after: string | undefined): Generator<string> {
    for (const id of this.order.after(after)) if (this.has(id)) yield id;
  }

  /** @param data the job as it is stored, when that is at hand */
  put(stored: StoredJob, data: Uint8Array = encodeJob(stored.job)): void {
    const { customer, dataset, enabled, id } = stored.job;
    const key = pairKey(customer, dataset);
    const before = this.jobs.get(id);
    const briefBefore = before === undefined ? undefined : briefIn(before);
    this.jobs.set(id, packed(stored, key, data));
    this.retired.delete(id);
    if (before === undefined) this.order.added(id);
    this.jobsChanged = true;
    if (briefBefore !== undefined && briefBefore.pairKey === key && briefBefore.enabled === enabled) return;
    if (briefBefore !== undefined) this.changePair(briefBefore.pairKey, id, undefined);
    this.changePair(key, id, enabled);
  }

  /**
   * Removed, as far as anybody who asks the table is concerned. In its sets the job stays, disabled, so that its owner
   * keeps its place in the log: until `delete`, or until it is put again.
   */
  retire(stored: StoredJob): void {
    this.put(disabled(stored));
    this.retired.add(stored.job.id);
  }

  isRetired(id: string): boolean {
    return this.retired.has(id);
  }

  /** As its sets have it: disabled. */
  retiredOf(id: string): StoredJob | undefined {
    return this.retired.has(id) ? storedIn(this.jobs, id) : undefined;
  }

  /** Forwarders go on to let records of this pair in, or, when `isRetained` is false, only while a job is enabled. */
  retain(key: string, isRetained: boolean): void {
    if (this.retained.has(key) === isRetained) return;
    if (isRetained) this.retained.add(key);
    else this.retained.delete(key);
    this.jobsChanged = true;
    this.pairsChanged = true;
  }

  private valueOf(id: string): Buffer | undefined {
    return this.retired.has(id) ? undefined : this.jobs.get(id);
  }

  /** Whether there was one. */
  delete(id: string): boolean {
    const before = this.jobs.get(id);
    if (before === undefined) return false;
    const { pairKey: key } = briefIn(before);
    this.jobs.delete(id);
    this.retired.delete(id);
    this.jobsChanged = true;
    this.changePair(key, id, undefined);
    return true;
  }

  /** After many have come: gives back what was in reserve for more. */
  trim(): void {
    this.jobs.trim();
    this.byPair.trim();
  }

  /** Whether the next set will be another one than the last. */
  hasChanged(): boolean {
    return this.jobsChanged && (this.last !== undefined || this.jobs.size > 0);
  }

  /** Immutable. */
  set(number: number): JobSet {
    const { last } = this;
    if (last !== undefined && !this.jobsChanged)
      return (this.last = new TableSet(number, last.table, last.pairs, last.byPair, last.liveIdsAfter));
    const jobs = this.jobs.snapshot();
    const byPair = this.byPair.snapshot();
    // Unless pairs came or went it stays the same object, for whoever remembers what it said.
    const pairs = last === undefined || this.pairsChanged ? this.pairsOf(byPair) : last.pairs;
    this.jobsChanged = false;
    this.pairsChanged = false;
    this.last = new TableSet(number, jobs, pairs, listsOf(jobs, byPair), (after) => this.idsAfter(after));
    return this.last;
  }

  /** @param enabled undefined takes it out */
  private changePair(key: string, id: string, enabled: boolean | undefined): void {
    const before = this.byPair.get(key);
    const members = before === undefined ? [] : membersIn(before).filter((member) => member.id !== id);
    const wasEnabled = before !== undefined && membersIn(before).some((member) => member.enabled);
    if (enabled !== undefined) members.push({ id, enabled });
    if (members.length === 0) this.byPair.delete(key);
    else this.byPair.set(key, packedMembers(members));
    const isEnabled = members.some((member) => member.enabled);
    if (isEnabled === wasEnabled) return;
    this.enabledPairs += isEnabled ? 1 : -1;
    this.pairsChanged = true;
  }

  private pairsOf(byPair: KeyedBytes): ReadonlyMap<string, Pair> {
    const seen = new Map<string, Pair>();
    const retained = new Set([...this.retained].filter((key) => !isEnabledIn(byPair, key)));
    const find = (key: string): Pair | undefined => {
      const known = seen.get(key);
      if (known !== undefined) return known;
      const value = byPair.get(key);
      if (value === undefined || (!retained.has(key) && !isEnabledIn(byPair, key))) return undefined;
      const pair = this.pairOf(key);
      if (seen.size >= pairsSeenMax) seen.clear();
      seen.set(key, pair);
      return pair;
    };
    function* all(): Generator<readonly [string, Pair]> {
      for (const [key] of byPair.entries()) {
        const pair = find(key);
        if (pair !== undefined) yield [key, pair];
      }
    }
    return new LookupMap(this.enabledPairs + retained.size, find, all);
  }

  /** One object for a pair, whichever set is asked: the forwarder groups records by it. */
  private pairOf(key: string): Pair {
    const known = this.pairs.get(key);
    if (known !== undefined) return known;
    // Those of pairs that have gone meanwhile.
    if (this.pairs.size > 2 * this.byPair.size + pairsSeenMax) {
      for (const each of this.pairs.keys()) if (!this.byPair.has(each)) this.pairs.delete(each);
    }
    const [customer = "", dataset = ""] = key.split(".");
    const pair = makePair(customer, dataset, this.partitions);
    this.pairs.set(key, pair);
    return pair;
  }
}

class TableSet implements JobSet {
  readonly number: number;
  readonly table: KeyedBytes;
  readonly byId: ReadonlyMap<string, StoredJob>;
  readonly pairs: ReadonlyMap<string, Pair>;
  readonly byPair: ReadonlyMap<string, ReadonlyArray<StoredJob>>;
  /** Of the table as it is when somebody asks. */
  readonly liveIdsAfter: JobTable["idsAfter"];

  constructor(
    number: number,
    table: KeyedBytes,
    pairs: JobSet["pairs"],
    byPair: JobSet["byPair"],
    liveIdsAfter: JobTable["idsAfter"],
  ) {
    this.number = number;
    this.table = table;
    this.pairs = pairs;
    this.byPair = byPair;
    this.liveIdsAfter = liveIdsAfter;
    const find = (id: string) => storedIn(table, id);
    function* all(): Generator<readonly [string, StoredJob]> {
      for (const [id, value] of table.entries()) yield [id, storedOf(id, value)];
    }
    this.byId = new LookupMap(table.size, find, all);
  }

  readonly brief = (id: string): JobBrief | undefined => {
    const value = this.table.get(id);
    return value === undefined ? undefined : briefIn(value);
  };

  readonly briefs = (): Iterable<readonly [string, JobBrief]> => briefsIn(this.table);

  /** The table keeps one order for all its sets. What was removed from it is about to leave this set, too. */
  *idsAfter(after: string | undefined): Generator<string> {
    for (const id of this.liveIdsAfter(after)) if (this.table.has(id)) yield id;
  }

  readonly changedSince = (earlier: JobSet): Iterable<string> | undefined =>
    earlier instanceof TableSet ? this.table.differing(earlier.table) : undefined;
}

function* packedIn(jobs: KeyedBytes, retired: ReadonlySet<string>): Generator<PackedJob> {
  for (const [id, value] of jobs.entries()) if (!retired.has(id)) yield unpacked(id, value);
}

function* briefsIn(table: KeyedBytes): Generator<readonly [string, JobBrief]> {
  for (const [id, value] of table.entries()) yield [id, briefIn(value)];
}

const listsOf = (jobs: KeyedBytes, byPair: KeyedBytes): JobSet["byPair"] => {
  // By id, so that the same jobs make the same set whatever the order in which they came.
  const listOf = (value: Buffer) =>
    membersIn(value)
      .map(({ id }) => id)
      .toSorted()
      .map((id) => storedIn(jobs, id)!);
  const find = (key: string) => {
    const value = byPair.get(key);
    return value === undefined ? undefined : listOf(value);
  };
  function* all(): Generator<readonly [string, ReadonlyArray<StoredJob>]> {
    for (const [key, value] of byPair.entries()) yield [key, listOf(value)];
  }
  return new LookupMap(byPair.size, find, all);
};

// A job: revision, whether it is enabled, its pair's key, and then the JSON that the store has.

const headBytes = 10;

const packed = ({ job, revision }: StoredJob, key: string, data: Uint8Array): Buffer => {
  const value = Buffer.allocUnsafe(headBytes + key.length + data.length);
  value.writeDoubleLE(revision, 0);
  value[8] = job.enabled ? 1 : 0;
  value[9] = key.length;
  value.write(key, headBytes, "latin1");
  value.set(data, headBytes + key.length);
  return value;
};

const unpacked = (id: string, value: Buffer): PackedJob => ({
  id,
  ...briefIn(value),
  data: value.subarray(headBytes + value[9]!),
});

const briefIn = (value: Buffer): JobBrief => ({
  pairKey: value.toString("latin1", headBytes, headBytes + value[9]!),
  revision: value.readDoubleLE(0),
  enabled: value[8] === 1,
});

const storedIn = (table: KeyedBytes, id: string): StoredJob | undefined => {
  const value = table.get(id);
  return value === undefined ? undefined : storedOf(id, value);
};

const storedOf = (id: string, value: Buffer): StoredJob => {
  const job = decodeStoredJob(id, value.subarray(headBytes + value[9]!));
  // Only what decoded was put in.
  if (job === undefined) throw new Error(`the push job ${id} does not decode any more`);
  return { job, revision: value.readDoubleLE(0) };
};

// The jobs of a pair: for each, whether it is enabled, and its id.

interface Member {
  readonly id: string;
  readonly enabled: boolean;
}

const membersIn = (value: Buffer): Array<Member> => {
  const members: Array<Member> = [];
  for (let at = 0; at < value.length;) {
    const to = at + 2 + value[at + 1]!;
    members.push({ enabled: value[at] === 1, id: value.toString("latin1", at + 2, to) });
    at = to;
  }
  return members;
};

const isEnabledIn = (byPair: KeyedBytes, key: string): boolean => {
  const value = byPair.get(key);
  return value !== undefined && membersIn(value).some(({ enabled }) => enabled);
};

const packedMembers = (members: ReadonlyArray<Member>): Buffer =>
  Buffer.concat(
    members.map(({ enabled, id }) => Buffer.from([enabled ? 1 : 0, id.length, ...Buffer.from(id, "latin1")])),
  );
