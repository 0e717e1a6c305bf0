import type { InspectionEvent } from "xstate";
import type { Chunk } from "../ports/log.ts";
import type { CrashEvidence, LossMark, Receipt, ReceiptReason, Row } from "../ports/checkpoints.ts";
import type { BatchRef } from "../../domain/batch.ts";
import type { Bisection } from "../../domain/bisection.ts";
import { emptyBooks, type Tally } from "../../domain/books.ts";
import { pairKey } from "../../domain/partition.ts";
import type { StoredJob } from "../../domain/push-job.ts";
import { Ledger } from "./ledger.ts";
import type { BufferEvent } from "./machine.ts";
import type { PushAnswer } from "../../domain/push-attempt.ts";
import { Recent } from "./recent.ts";
import { type Dirtiness, RowState } from "./row-state.ts";
import { saveSnapshot } from "./snapshot.ts";
import { type ClosedBatch, Window, type WindowBounds } from "./window.ts";
import type { BufferContext } from "./machine.ts";

/** The buffer's actor as its shell sees it. */
export interface ActorHandle {
  readonly send: (event: BufferEvent) => void;
  readonly delivery: () => string;
  /** `live`, `backpressured`, `overloaded.refuse` or `overloaded.shedOldest`. */
  readonly flow: () => string;
  readonly context: () => BufferContext;
  /** Attaches an observer at run time, in the XState inspector's terms. Answers how to take it off again. */
  readonly inspect: (observer: (event: InspectionEvent) => void) => () => void;
  readonly stop: () => void;
}

/** What a buffer asks of its partition. */
export interface BufferHost {
  readonly partition: number;
  /** Whether the log message at this sequence repeats an earlier one. */
  readonly isDuplicate: (sequence: number) => boolean;
  readonly bounds: WindowBounds;
  /** False while the partition may not push: its checkpoints do not land. */
  readonly mayPush: () => boolean;
  /** Up to where the partition's reader has come. */
  readonly position: () => number;
  /** There is something to write soon: a push waits for it. */
  readonly wantCheckpoint: () => void;
  /** The buffer's row is behind what is in memory. */
  readonly dirtied: (buffer: Buffer) => void;
  /** Stored with the next checkpoint, together with the row that it belongs to. */
  readonly addReceipt: (receipt: Receipt) => void;
  /** The sweep may have something to do. */
  readonly wantSweep: () => void;
  /** Batches of this buffer may now be ended by time: the feeder watches its deadline. */
  readonly watchDeadline: (buffer: Buffer) => void;
}

/** How a buffer starts: from its row, or anew at a sequence. */
export type BufferOrigin =
  | { readonly row: Row; readonly scan: number }
  | { readonly row: undefined; readonly start: number };

/**
 * One push job's buffer: durable cursor, bounded window, books, and the handle of the actor that decides. All of it
 * runs in one thread without waiting, so every method sees and leaves a consistent whole.
 */
export class Buffer {
  readonly jobId: string;
  readonly pairKey: string;
  readonly partition: number;
  readonly isDuplicate: (sequence: number) => boolean;
  private readonly host: BufferHost;
  readonly ledger: Ledger;
  /** The newest revision of the job. */
  newest: StoredJob;
  /** The revision that batches are made under. */
  effective: StoredJob;
  window: Window;
  /** Rises whenever the window's content is given up. */
  windowNumber = 0;
  /** Everything up to here is settled. */
  cursor: number;
  readonly start: number;
  /** Everything up to here was in the books when the buffer started. */
  readonly countedBefore: number;
  /** Fed by the reader; otherwise by the sweep. */
  live: boolean;
  /** While not live: everything up to here has been fed. */
  fedTo: number;
  /**
   * The log has a gap up to here, behind what was fed: some of what is pending may be gone. It is fed no further before
   * that is in the books, for the cursor must not pass a loss that no receipt tells of.
   */
  missedTo: number | undefined;
  private cuts: ReadonlyArray<number>;
  /** Its job is gone: nothing after this was counted. */
  private closedTo: number | undefined;
  actor: ActorHandle | undefined;
  /** An attempt has a place and its batch in use; one that waits for its place has not. */
  isAttemptBegun = false;
  /** Consecutive crashes of the actor. */
  crashes = 0;
  lastSuccessMillis: number | undefined;
  lastErrorMillis: number | undefined;
  lastError: string | undefined;
  /** JetStream time of the oldest record that is not settled, as far as it is known. */
  pendingSinceMillis: number | undefined;
  private waitingForHead: ((head: ClosedBatch) => void) | undefined;

  /** Why the buffer was quarantined; undefined while it is not. */
  evidence: CrashEvidence | undefined;
  /** What the destination is to be told with the next batch. */
  lossMark: LossMark | undefined;
  readonly transitions = new Recent();
  private readonly rowState: RowState;

  constructor(host: BufferHost, newest: StoredJob, effective: StoredJob, origin: BufferOrigin) {
    const { job } = newest;
    this.host = host;
    this.partition = host.partition;
    this.isDuplicate = host.isDuplicate;
    this.jobId = job.id;
    this.pairKey = pairKey(job.customer, job.dataset);
    this.newest = newest;
    this.effective = effective;
    const { row } = origin;
    this.ledger = new Ledger(row?.books ?? emptyBooks);
    const pending = this.ledger.pendingRecords > 0;
    this.start = row?.start ?? (origin.row === undefined ? origin.start : 0);
    // A row with nothing pending is not rewritten: its effective cursor is the scan.
    this.cursor =
      row === undefined
        ? this.start
        : pending
          ? row.cursor
          : Math.max(row.cursor, origin.row === undefined ? 0 : origin.scan);
    this.countedBefore = row?.counted ?? this.start;
    this.cuts = row?.cuts ?? [];
    this.live = !pending && effective.job.enabled;
    this.fedTo = this.cursor;
    const anchored = row !== undefined && row.revision === effective.revision;
    this.rowState = new RowState(anchored, pending ? this.cursor : undefined, () => host.dirtied(this));
    this.lastSuccessMillis = row?.lastSuccessMillis;
    this.lastErrorMillis = row?.lastErrorMillis;
    this.lastError = row?.lastError;
    this.evidence = row?.evidence;
    this.lossMark = row?.lossMark;
    this.window = this.newWindow();
    // Its first push waits for the new row, and no record may come any more that asks for one.
    if (pending && !anchored) this.beUrgent();
  }

  private newWindow(): Window {
    return new Window(this.effective.job.batch, this.host.bounds, this.cuts);
  }

  // --- fed by the reader and the sweep ---

  /** A chunk header was scanned, whether or not its bytes are taken. */
  count(sequence: number, millis: number, chunk: Chunk): void {
    if (sequence <= this.countedBefore) return;
    if (this.ledger.pendingRecords === 0) this.cursor = Math.max(this.cursor, sequence - 1);
    this.pendingSinceMillis ??= millis;
    this.ledger.accept(chunk.records, chunk.bytes);
    this.rowState.noteCounted(sequence);
    // The first push waits until the row that names its start is durable.
    if (!this.rowState.anchored && !this.rowState.isUrgent()) this.beUrgent();
  }

  /** Takes a chunk, in sequence. False: the window is full, and the buffer lags from here. */
  feed(sequence: number, millis: number, chunk: Chunk): boolean {
    if (sequence <= this.cursor) return true;
    if (!this.window.hasRoom()) return false;
    this.pendingSinceMillis ??= millis;
    const before = this.window.openFirst();
    const ended = this.window.append(sequence, millis, chunk);
    const opened = this.window.openFirst();
    if (opened === before && !ended) return true;
    if (opened !== undefined && opened !== before) this.host.watchDeadline(this);
    this.pump();
    return true;
  }

  /** A message of the partition had this time. */
  advance(millis: number): void {
    if (this.window.advance(millis)) this.pump();
  }

  /** The reader no longer feeds this buffer; everything up to `fedTo` has been fed. */
  lag(fedTo: number): void {
    this.live = false;
    this.skipSettled();
    this.fedTo = Math.max(fedTo, this.cursor);
    this.actor?.send({ type: "buffer.lagged" });
    this.host.wantSweep();
  }

  catchUp(): void {
    this.live = true;
    this.actor?.send({ type: "buffer.caughtUp" });
  }

  /** Whether the sweep should feed this buffer now. */
  wantsSweep(): boolean {
    if (this.live || !this.effective.job.enabled || this.actor === undefined || this.missedTo !== undefined)
      return false;
    // While it waits for a retry its destination takes nothing: memory is better used by others.
    return this.window.hasRoom() && !pausedStates.has(this.actor.delivery());
  }

  /** Gives memory back: all but a batch whose attempt has begun is forgotten and will be read again. */
  giveUpWindow(): void {
    const held = this.window.drop(this.isAttemptBegun);
    this.windowNumber += 1;
    this.lag(held ?? this.cursor);
    this.pump();
  }

  // --- the actor ---

  /** Lets the actor see what the window has. Safe to call at any time, any number of times. */
  pump(): void {
    const awaited = this.waitingForHead === undefined ? undefined : this.window.head();
    if (awaited !== undefined) {
      const resume = this.waitingForHead!;
      this.waitingForHead = undefined;
      resume(awaited);
    }
    // Only now: a push that was waiting may have been answered at once, and its batch settled.
    const head = this.window.head();
    const delivery = this.actor?.delivery();
    if (delivery === "bisecting") {
      if (this.rowState.anchored && this.host.mayPush()) this.actor!.send({ type: "row.written" });
      return;
    }
    if (delivery !== "idle" && delivery !== "filling") return;
    if (head !== undefined && this.rowState.anchored && this.effective.job.enabled && this.host.mayPush()) {
      this.actor!.send({ type: "batch.closed", batch: head.ref });
    } else if (delivery === "idle" && !this.window.isEmpty()) {
      this.actor!.send({ type: "window.filled" });
    } else if (delivery === "filling" && this.window.isEmpty()) {
      this.actor!.send({ type: "window.dropped" });
    }
  }

  /** For a push begun before its batch was read again: `resume` is called when the oldest batch is complete. */
  awaitHead(resume: (head: ClosedBatch) => void): () => void {
    this.waitingForHead = resume;
    this.host.wantSweep();
    return () => {
      if (this.waitingForHead === resume) this.waitingForHead = undefined;
    };
  }

  /**
   * The batch is done: the cursor moves, and the next checkpoint makes it durable.
   *
   * @param bisection how it was delivered, when not as a whole: part of it became dead letters
   */
  settle(batch: BatchRef, bisection: Bisection | null, millis: number): void {
    const head = this.window.settleHead();
    if (bisection === null) {
      if (head === undefined || head.ref.first !== batch.first || head.ref.last !== batch.last) {
        throw new Error(`${this.jobId}: the settled batch is not the window's oldest`);
      }
      const written = head.parts.encode();
      this.ledger.deliver(written.records, written.bytes);
    } else {
      this.bookParts(batch, bisection, millis);
    }
    this.ledger.leavePending(batch.records, batch.bytes);
    this.cursor = batch.last;
    this.lossMark = undefined;
    this.skipSettled();
    this.cuts = this.cuts.filter((cut) => cut > batch.last);
    this.rowState.noteSettled();
    if (head === undefined) {
      // A dead letter needs no window: it was given up meanwhile, and begins again after the batch.
      this.forgetWindow();
      this.lag(this.cursor);
    }
    this.pendingSinceMillis =
      this.ledger.pendingRecords === 0 ? undefined : (this.window.oldestMillis() ?? batch.endMillis);
    this.afterPush();
  }

  /** What a bisected batch has delivered and what it could not, up to where it has come. */
  private bookParts({ first, last }: BatchRef, { dead, delivered }: Bisection, millis: number): void {
    this.ledger.deliver(delivered.records, delivered.bytes);
    if (dead.records === 0) return;
    this.ledger.add("deadLettered", dead.records, dead.bytes);
    this.host.addReceipt({ ...this.account(first, last, dead.records, dead.bytes), reason: "deadLettered", millis });
  }

  /**
   * With nothing pending, everything up to the reader is settled. What lies there must not be read again: it may hold
   * duplicates that the low-water mark has passed, and that nobody remembers.
   */
  private skipSettled(): void {
    if (this.ledger.pendingRecords === 0) this.cursor = Math.max(this.cursor, this.host.position());
  }

  afterPush(): void {
    // After the transition that reports this: the actor is in its next state then.
    queueMicrotask(() => this.pump());
    if (!this.live) this.host.wantSweep();
  }

  finished(answer: PushAnswer): void {
    if (answer.outcome._tag === "Delivered") {
      this.lastSuccessMillis = answer.nowMillis;
      this.lastErrorMillis = undefined;
      this.lastError = undefined;
      this.crashes = 0;
      return;
    }
    this.lastErrorMillis = answer.nowMillis;
    this.lastError = answer.outcome.detail;
    this.rowState.noteSettled();
  }

  /** The machine has taken a step of a bisection: the row must tell of it before the next part is pushed. */
  wantRow(): void {
    this.rowState.unanchor();
    this.host.wantCheckpoint();
  }

  // --- isolation ---

  /** Nothing is about to be delivered: the window is of no use. After the transition that says so. */
  standStill(): void {
    this.rowState.noteSettled();
    queueMicrotask(() => {
      const delivery = this.actor?.delivery();
      if ((delivery === "suspended" || delivery === "quarantined") && !this.window.isEmpty()) this.giveUpWindow();
    });
  }

  /** Suspended or quarantined no more. */
  goOn(): void {
    this.rowState.noteSettled();
    this.afterPush();
  }

  /** A batch that may have been delivered is cut anew: the destination may get its records twice. */
  noteDoubt({ bytes, first, last, records }: BatchRef, millis: number): void {
    this.host.addReceipt({ ...this.account(first, last, records, bytes), reason: "possiblyDuplicated", millis });
  }

  /** Isolates the buffer until somebody says `resume`, or its job is revised. */
  quarantine(evidence: CrashEvidence): void {
    this.evidence = evidence;
    this.actor?.send({ type: "buffer.quarantine" });
    this.beUrgent();
  }

  /** Somebody says: try again now. */
  resume(): void {
    this.evidence = undefined;
    this.crashes = 0;
    this.actor?.send({ type: "buffer.resume" });
    this.beUrgent();
    this.afterPush();
  }

  /** The last few transitions, oldest first. */
  recent() {
    return this.transitions.list();
  }

  weight(): number {
    return this.effective.job.weight ?? 1;
  }

  /** Nothing of it is only in memory: it may hibernate. */
  isQuiescent(): boolean {
    return (
      this.ledger.pendingRecords === 0 &&
      this.window.isEmpty() &&
      this.newest === this.effective &&
      this.rowState.dirtiness() === "clean" &&
      this.actor?.delivery() === "idle"
    );
  }

  // --- revisions ---

  /** The store has a newer revision. It takes effect when the actor says that nothing of the old one is left. */
  revise(newest: StoredJob): void {
    this.newest = newest;
    this.actor?.send({ type: "job.revised" });
  }

  /** Batches after the cursor are made under the newest revision, once the row says so. */
  adoptNewest(): void {
    this.effective = this.newest;
    this.evidence = undefined;
    this.startAnew();
  }

  /** Everything is read again from the cursor, and pushed when the row says so. */
  private startAnew(): void {
    this.forgetWindow();
    this.lag(this.cursor);
    this.wantRow();
    this.afterPush();
  }

  /** After a crash of the actor: nothing that it held is trusted, everything is read again from the cursor. */
  reset(): void {
    this.waitingForHead = undefined;
    this.forgetWindow();
    this.live = false;
    this.skipSettled();
    this.fedTo = this.cursor;
    this.host.wantSweep();
  }

  private forgetWindow(): void {
    this.window = this.newWindow();
    this.windowNumber += 1;
  }

  /** Whether the cursor may be moved up to a sequence: not under an attempt, nor into a batch that is half settled. */
  mayMoveCursor(to: number): boolean {
    const delivery = this.actor?.delivery();
    if (this.isAttemptBegun || delivery === "deadLettering") return false;
    const context = this.actor?.context();
    return context?.batch == null || context.bisection === null || to >= context.batch.last;
  }

  /**
   * Settles everything up to and including `to` without delivering it. The caller asked `mayMoveCursor`.
   *
   * @param counted what the chunk headers of this job in (cursor, to] say, duplicates left out
   * @param nextMillis JetStream time of the first chunk after `to`, when it is known
   */
  moveCursor(
    to: number,
    account: "expired" | "shed",
    reason: ReceiptReason,
    counted: Tally,
    millis: number,
    nextMillis?: number,
  ): Receipt | undefined {
    if (to <= this.cursor) return undefined;
    const context = this.actor?.context();
    const parts = context?.batch == null ? null : context.bisection;
    const passed = { records: 0, bytes: 0 };
    if (parts !== null && context?.batch != null) {
      passed.records = parts.delivered.records + parts.dead.records;
      passed.bytes = parts.delivered.bytes + parts.dead.bytes;
      this.bookParts(context.batch, parts, millis);
    }
    // The rest of a batch that may have arrived is cut anew.
    if (context?.batch != null && context.ambiguous && to < context.batch.last) this.noteDoubt(context.batch, millis);
    const lost = { records: counted.records - passed.records, bytes: counted.bytes - passed.bytes };
    this.ledger.add(account, lost.records, lost.bytes);
    this.ledger.leavePending(counted.records, counted.bytes);
    const receipt = { ...this.account(this.cursor + 1, to, lost.records, lost.bytes), reason, millis };
    this.cursor = to;
    this.cuts = this.cuts.filter((cut) => cut > to);
    this.pendingSinceMillis = this.ledger.pendingRecords === 0 ? undefined : nextMillis;
    if (lost.records > 0) this.markLoss(receipt);
    this.actor?.send({ type: "cursor.moved" });
    this.startAnew();
    return lost.records > 0 ? receipt : undefined;
  }

  private markLoss({ bytes, firstSequence, lastSequence, millis, reason, records }: Receipt): void {
    if (this.newest.job.markLoss !== true) return;
    const before = this.lossMark;
    this.lossMark = {
      firstSequence: before?.firstSequence ?? firstSequence,
      lastSequence,
      records: records + (before?.records ?? 0),
      bytes: bytes + (before?.bytes ?? 0),
      reason,
      millis,
    };
  }

  /** The job is deleted: its backlog is settled as shed. */
  shedPending(lastSequence: number): Omit<Receipt, "reason" | "millis"> | undefined {
    const { bytes, records } = this.ledger.writeOffPending("shed");
    const first = this.cursor + 1;
    this.cursor = Math.max(this.cursor, lastSequence);
    this.closedTo = lastSequence;
    return records === 0 ? undefined : this.account(first, lastSequence, records, bytes);
  }

  private account(firstSequence: number, lastSequence: number, records: number, bytes: number) {
    const { customer, dataset, id } = this.newest.job;
    return { customer, dataset, job: id, firstSequence, lastSequence, records, bytes };
  }

  // --- drain ---

  /** Fixes the end of the open batch, to be durable before its push. Answers whether there is one. */
  planCut(): boolean {
    const at = this.window.cuttable();
    if (at === undefined || !this.effective.job.enabled || this.cuts.length >= 4) return false;
    if (!this.cuts.includes(at)) this.cuts = [...this.cuts, at];
    this.beUrgent();
    return true;
  }

  /** The cuts are durable. */
  applyCuts(): void {
    if (this.cuts.some((cut) => this.window.cut(cut))) this.pump();
  }

  // --- checkpoints ---

  beUrgent(): void {
    this.rowState.noteUrgent();
    this.host.wantCheckpoint();
  }

  /** How soon the row wants to be written. */
  dirtiness(): Dirtiness {
    return this.rowState.dirtiness();
  }

  /** Whether there is a durable row of the revision that its batches are made under. */
  isAnchored(): boolean {
    return this.rowState.anchored;
  }

  /** The scan may not pass what the durable row does not count. */
  scanBound(): number {
    return this.rowState.scanBound();
  }

  /** The low-water mark may not pass what a restart from the durable row would read again. */
  lowWaterBound(): number {
    return this.rowState.lowWaterBound();
  }

  /** The row as of now. Answers what to do when it has been written, or has not. */
  writeRow(deleted = false): { readonly row: Row; readonly landed: () => void; readonly failed: () => void } {
    const before = this.rowState.beginWrite(this.ledger.pendingRecords > 0 ? this.cursor : undefined);
    return {
      row: this.row(deleted),
      landed: () => {
        if (this.rowState.endWrite(before)) this.pump();
      },
      failed: () => this.rowState.failWrite(before),
    };
  }

  private row(deleted: boolean): Row {
    return {
      job: this.jobId,
      pairKey: this.pairKey,
      revision: this.effective.revision,
      start: this.start,
      cursor: this.cursor,
      // What came after its job was gone is not in its books.
      counted: this.closedTo ?? Math.max(this.countedBefore, this.host.position()),
      cuts: this.cuts,
      books: this.ledger.books(),
      snapshot: this.actor === undefined ? undefined : saveSnapshot(this.actor.delivery(), this.actor.context()),
      deleted,
      lastSuccessMillis: this.lastSuccessMillis,
      lastErrorMillis: this.lastErrorMillis,
      lastError: this.lastError,
      ...(this.evidence === undefined ? {} : { evidence: this.evidence }),
      ...(this.lossMark === undefined ? {} : { lossMark: this.lossMark }),
    };
  }
}

/** States in which more in the window is of no use: nothing is about to leave it. */
const pausedStates: ReadonlySet<string> = new Set(["backingOff", "suspended", "quarantined"]);
