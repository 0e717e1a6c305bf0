import type { Buffer, BufferHost } from "../buffer/buffer.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { Claim, FormerLife, Receipt, Register, Row } from "../ports/checkpoints.ts";
import { emptyJobSet, type JobSet } from "../ports/jobs.ts";
import { RowTable } from "../ports/row-table.ts";
import type { WaitingBuffer } from "../residency/waiting-buffer.ts";
import { ByPair } from "./by-pair.ts";
import { ContinuityWatch } from "./continuity.ts";
import { FormerLives } from "./former-lives.ts";
import { Holders } from "./holders.ts";
import { NewerChunks } from "./newer-chunks.ts";
import { Orphans } from "./orphans.ts";
import { UnclaimedChunks } from "./unclaimed-chunks.ts";
import type { LogInfo } from "../ports/log.ts";
import { LogClock } from "./log-clock.ts";
import { WindowBudget } from "../window-budget.ts";
import { Deadlines } from "./deadlines.ts";
import { Signal } from "./signal.ts";
import { SweepRegulator } from "./sweep/sweep-regulator.ts";

/** What a checkpoint writes a row of. */
export type Rowed = Buffer | WaitingBuffer;

/** A job with pending records and no actor: it is given one when there is a place. */
export interface Waiting {
  /** Nothing of it was ever delivered: the established go first. */
  readonly newcomer: boolean;
  /** Of its row, while it hibernates: what the low-water mark may not pass. */
  readonly lowWaterBound: number;
  /** Records are to be delivered, if only those of an earlier revision. */
  readonly enabled: boolean;
  /** Its pair, while the door refuses its records: since it waits, or from when it still had its place. */
  readonly refusing: string | undefined;
}

/** What the loops of one owned partition share. One thread, so no locks: each step leaves it whole. */
export class PartitionState {
  readonly partition: number;
  readonly claim: Claim;
  readonly incarnation: string;
  /** The reader's: everything up to here was dispatched. */
  position: number;
  /** The register's scan as last written. */
  scan: number;
  /** The push jobs in force here. */
  jobs: JobSet = emptyJobSet;
  /** The resident: they have an actor, or will have one again after a crash. */
  readonly buffers = new Map<string, Buffer>();
  /** Buffers without a place whose chunks are being counted. */
  readonly waitingBuffers = new Map<string, WaitingBuffer>();
  /** The hibernated: all other jobs that ever had traffic. */
  rows: RowTable;
  /** Of all these, those whose jobs are in no set. */
  readonly orphans = new Orphans();
  /** Of these, those that may have to leave once more was read. */
  readonly lateLeaves = new Set<string>();
  /** Hibernated or not, all that have pending records and no actor, in the order in which they get one. */
  readonly waiting = new Map<string, Waiting>();
  /** Of one pair all buffers are here, or none: a chunk finds them all at once. */
  readonly byPair = new ByPair<Rowed>();
  /** Whether a pair is of this partition. */
  isOwn: (pairKey: string) => boolean = () => true;
  /** Brings the buffers of a pair in, for a chunk at this sequence that found none. */
  wake: (pairKey: string, sequence: number) => ReadonlyArray<Rowed> = () => [];
  /** Jobs on their way out: a chunk must not bring them in again. */
  readonly leavingNow = new Set<string>();
  readonly formerLives = new FormerLives();
  /** Whose rows are behind what is in memory; those that were written meanwhile are still among them. */
  private readonly dirty = new Set<Buffer>();
  /** Taken for a checkpoint that has not landed or failed yet. */
  readonly inFlight = new Set<Rowed>();
  /** Up to here the owner before may have pushed what no row tells of. */
  doubtTo = Number.MAX_SAFE_INTEGER;
  /** A first job set was adopted: the reader may begin. */
  isAdopted = false;
  /** It is being given up: nothing more is started. */
  isClosing = false;
  readonly continuity: ContinuityWatch;
  /** What came under a job set that is not adopted here yet. */
  readonly newerChunks = new NewerChunks();
  /** In whose books what is read again may be. */
  readonly holders = new Holders();
  /** What there is no push job for. */
  readonly unclaimedChunks: UnclaimedChunks;
  readonly deadlines = new Deadlines();
  readonly checkpointWanted = new Signal();
  readonly sweepWanted = new Signal();
  /** Forwarders are to hear at once what has changed. */
  readonly reportWanted = new Signal();
  /** Pairs whose records are refused at the door, for their backlog is over its quota. */
  refusing: ReadonlySet<string> = new Set();
  /** Written with the next checkpoint. */
  receipts: Array<Receipt> = [];
  /** Buffers of deleted jobs whose last row is not written yet. */
  readonly leaving = new Map<string, Buffer>();
  readonly lowWater = (): number => {
    let low = this.scan;
    for (const buffer of this.buffers.values()) {
      if (buffer.effective.job.enabled) low = Math.min(low, buffer.lowWaterBound());
    }
    for (const [job, { enabled, lowWaterBound }] of this.waiting) {
      if (enabled) low = Math.min(low, this.waitingBuffers.get(job)?.lowWaterBound() ?? lowWaterBound);
    }
    return Math.max(this.claim.register.lowWater, low);
  };
  mayPush = true;
  /** The rows in the store are of another log: each must be written anew together with the register. */
  isRebased = false;
  /** By the steady clock. */
  lastCheckpointMillis = 0;
  /** The memory of all windows of the node. */
  windowBudget = WindowBudget.unlimited();
  /** What the sweeps of the node share. */
  sweepRegulator = SweepRegulator.unlimited();
  /** What time it is for the log's server. */
  readonly clock = new LogClock();
  /** What the leader last said of the log; undefined before it was asked. */
  log: LogInfo | undefined;
  /** The low-water mark as a checkpoint of ours has stored it: whatever is at or below may be purged. */
  storedLowWater: number;

  constructor(partition: number, claim: Claim, incarnation: string) {
    this.partition = partition;
    this.claim = claim;
    this.incarnation = incarnation;
    this.position = claim.register.scan;
    this.scan = claim.register.scan;
    this.rows = claim.rows instanceof RowTable ? claim.rows : RowTable.from(claim.rows);
    this.storedLowWater = claim.register.lowWater;
    this.unclaimedChunks = new UnclaimedChunks(claim.register.receipted ?? claim.register.scan);
    this.continuity = new ContinuityWatch(claim.register.writers, claim.register.duplicates);
  }

  host(bounds: WindowBounds): BufferHost {
    return {
      bounds,
      partition: this.partition,
      isDuplicate: (sequence) => this.continuity.isDuplicate(sequence),
      mayPush: () => this.mayPush,
      position: () => this.position,
      wantCheckpoint: () => this.checkpointWanted.raise(),
      dirtied: (buffer) => void this.dirty.add(buffer),
      addReceipt: (receipt) => {
        this.receipts.push(receipt);
        this.checkpointWanted.raise();
      },
      wantSweep: () => this.sweepWanted.raise(),
      // Only the reader's clock may end a live buffer's batch; the sweep has its own while it feeds one.
      watchDeadline: (buffer) => (buffer.live ? this.deadlines : this.sweepDeadlines)?.watch(buffer),
    };
  }

  /** Set while a sweep runs. */
  sweepDeadlines: Deadlines | undefined;

  /** About how many messages of the log so many bytes are; infinite while nothing is known of it. */
  sequencesIn(bytes: number): number {
    if (this.log === undefined || this.log.bytes === 0) return Number.POSITIVE_INFINITY;
    return (bytes * (this.log.lastSequence - this.log.firstSequence + 1)) / this.log.bytes;
  }

  add(buffer: Buffer): void {
    this.buffers.set(buffer.jobId, buffer);
    this.byPair.add(buffer.pairKey, buffer);
  }

  remove(buffer: Buffer): void {
    this.buffers.delete(buffer.jobId);
    this.byPair.remove(buffer.pairKey, buffer);
  }

  /** A buffer that waits, in its pair's list. */
  addWaiting(buffer: WaitingBuffer): void {
    this.waitingBuffers.set(buffer.jobId, buffer);
    this.byPair.add(buffer.pairKey, buffer);
  }

  removeWaiting(buffer: WaitingBuffer): void {
    this.waitingBuffers.delete(buffer.jobId);
    this.byPair.remove(buffer.pairKey, buffer);
  }

  /** All buffers that a chunk of this pair at this sequence is for; those that hibernate wake. */
  dealtTo(pairKey: string, sequence: number): ReadonlyArray<Rowed> {
    return this.byPair.find(pairKey) ?? this.wake(pairKey, sequence);
  }

  /** What may be dirty: a few of those in memory, however many there are. */
  *rowed(): Generator<Rowed> {
    for (const buffer of this.dirty) {
      if (this.buffers.get(buffer.jobId) === buffer && buffer.dirtiness() !== "clean") yield buffer;
      else this.dirty.delete(buffer);
    }
    yield* this.waitingBuffers.values();
  }

  /** Which chunks are in the books of a job that is known here, resident or not. */
  lifeOf(job: string): FormerLife | undefined {
    const buffer = this.buffers.get(job);
    if (buffer === undefined) return this.waitingBuffers.get(job)?.rowNow() ?? this.rows.get(job);
    const { countedBefore, pairKey, start } = buffer;
    return { pairKey, start, counted: Math.max(countedBefore, this.position) };
  }

  /** A job is in no set, and its row stays. What its books hold is nobody else's. */
  orphan(job: string, { counted, pairKey, start }: FormerLife, isExplained = false): void {
    this.orphans.add(job, { pairKey, counted }, isExplained);
    this.holders.set(job, { pairKey, start, counted }, this.position);
  }

  /** A job is gone: what its books go to may be further than was read since the claim. */
  close(job: string, { counted, pairKey, start }: FormerLife): void {
    const life = { pairKey, start, counted };
    this.holders.set(job, life, this.position);
    this.formerLives.add(job, life, this.scan);
  }

  /** As it is to be stored. */
  withFormer(row: Row): Row {
    const former = this.formerLives.of(row.job, this.scan);
    return former.length === 0 ? row : { ...row, former };
  }

  /**
   * Whether there is a push job for what came of a pair, or an orphan with something pending. One on its way out is
   * none.
   */
  isClaimed(pairKey: string): boolean {
    return (
      (this.jobs.byPair.get(pairKey) ?? []).some(({ job }) => !this.leavingNow.has(job.id)) ||
      this.orphans.ofPair(pairKey).some((job) => this.isDealtTo(job))
    );
  }

  /** With nothing pending, an orphan gets nothing. */
  private isDealtTo(orphan: string): boolean {
    return (
      this.buffers.has(orphan) ||
      this.waitingBuffers.has(orphan) ||
      (this.rows.get(orphan)?.books.pending.records ?? 0) > 0
    );
  }

  /** Whether what came of a pair at a sequence is somebody's who is there. Read again, it may be from before that. */
  isDue(pairKey: string, sequence: number, buffers = this.byPair.get(pairKey)): boolean {
    return buffers.length === 0 ? this.isClaimed(pairKey) : buffers.some(({ start }) => start < sequence);
  }

  register(owner: string | null, scan: number): Register {
    const lowWater = this.lowWater();
    return {
      ...this.claim.register,
      owner,
      scan,
      incarnation: this.incarnation,
      // Given up before there was a set, it is as it was.
      snapshot: this.jobs === emptyJobSet ? this.claim.register.snapshot : this.jobs.number,
      writers: this.continuity.writers(),
      duplicates: this.continuity.duplicatesAfter(lowWater),
      lowWater,
      receipted: this.unclaimedChunks.receiptedTo(),
    };
  }
}
