import { Deferred, Effect } from "effect";
import type { Buffer, BufferHost } from "../buffer/buffer.ts";
import type { WindowBounds } from "../buffer/window.ts";
import type { Claim, Receipt, Register } from "../ports/checkpoints.ts";
import { ByPair } from "./by-pair.ts";
import { ContinuityWatch } from "./continuity.ts";
import type { LogInfo } from "../ports/log.ts";
import { WindowBudget } from "../window-budget.ts";
import { Deadlines } from "./deadlines.ts";
import { SweepRegulator } from "./sweep/sweep-regulator.ts";

/** A level-triggered wake-up for one waiting loop. */
export class Signal {
  private deferred = Deferred.makeUnsafe<void>();
  private raised = false;

  /**
   * Later, never inline: completing a deferred runs the waiting fiber at once, and whoever raises is in the middle of
   * dealing a message out. A row taken there would count a chunk that its sequence does not.
   */
  raise(): void {
    if (this.raised) return;
    this.raised = true;
    queueMicrotask(() => {
      this.raised = false;
      Deferred.doneUnsafe(this.deferred, Effect.void);
    });
  }

  /** Completes at the next `raise`, at once when there was one since the last wait, or after `millis`. */
  wait(millis: number): Effect.Effect<void> {
    return Deferred.await(this.deferred).pipe(
      Effect.timeoutOption(millis),
      Effect.andThen(
        Effect.sync(() => {
          this.deferred = Deferred.makeUnsafe<void>();
        }),
      ),
    );
  }
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
  jobSet = 0;
  readonly buffers = new Map<string, Buffer>();
  readonly byPair = new ByPair<Buffer>();
  readonly continuity: ContinuityWatch;
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
    return Math.max(this.claim.register.lowWater, low);
  };
  mayPush = true;
  /** The rows in the store are of another log: each must be written anew together with the register. */
  isRebased = false;
  lastCheckpointMillis = 0;
  /** The memory of all windows of the node. */
  windowBudget = WindowBudget.unlimited();
  /** What the sweeps of the node share. */
  sweepRegulator = SweepRegulator.unlimited();
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
    this.storedLowWater = claim.register.lowWater;
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
      dirtied: () => {},
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

  register(owner: string | null, scan: number): Register {
    const lowWater = this.lowWater();
    return {
      ...this.claim.register,
      owner,
      scan,
      incarnation: this.incarnation,
      snapshot: this.jobSet,
      writers: this.continuity.writers(),
      duplicates: this.continuity.duplicatesAfter(lowWater),
      lowWater,
    };
  }
}
