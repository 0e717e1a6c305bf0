import type { Buffer } from "../../buffer/buffer.ts";
import type { LogMessage } from "../../ports/log.ts";
import { ByPair } from "../by-pair.ts";
import { Deadlines } from "../deadlines.ts";
import type { PartitionState } from "../partition-state.ts";

/** A buffer in a pass. Its window may be given up meanwhile: then what this pass fed is gone, and it has left. */
interface Member {
  readonly buffer: Buffer;
  readonly windowNumber: number;
}

/**
 * One way through a part of the log. A buffer joins when the pass comes to where it was fed to, is offered every
 * message from there on, and leaves when it is full: between the two it misses nothing, neither a chunk nor a time.
 */
export class Pass {
  private readonly state: PartitionState;
  private readonly byPair = new ByPair<Member>();
  readonly deadlines = new Deadlines();
  /** Those that the pass has not come to yet, in order. */
  private ahead: Array<Buffer>;
  /** Everything up to here has been offered. */
  position: number;
  private members = 0;

  /** @param buffers in the order of where they were fed to; at least one */
  constructor(state: PartitionState, buffers: ReadonlyArray<Buffer>) {
    this.state = state;
    this.ahead = [...buffers];
    this.position = buffers[0]?.fedTo ?? state.position;
  }

  /** Buffers that want data by now. Those behind the pass are not for this one. */
  expect(buffers: ReadonlyArray<Buffer>): void {
    if (buffers.length === 0) return;
    this.ahead = [...this.ahead, ...buffers].toSorted((a, b) => a.fedTo - b.fedTo);
  }

  has(buffer: Buffer): boolean {
    return this.ahead.includes(buffer) || this.isMember(buffer);
  }

  /** Whether anybody still wants what comes. When only those further on do, it goes there at once. */
  moveOn(): boolean {
    this.joinUpTo(this.position);
    while (this.members === 0 && this.ahead.length > 0) {
      this.position = Math.max(this.position, this.ahead[0]!.fedTo);
      this.joinUpTo(this.position);
    }
    return this.members > 0;
  }

  /**
   * Sequences up to here are missing from the log: what these buffers have counted there is gone. They leave, and come
   * back once that is in their books.
   */
  skipGone(goneTo: number): void {
    this.joinUpTo(goneTo - 1);
    for (const member of this.byPair.all()) {
      member.buffer.missedTo = goneTo;
      this.leave(member, this.position);
    }
    this.position = Math.max(this.position, goneTo);
  }

  /** @returns bytes that were taken, by those who took them */
  offer(message: LogMessage, onFed: (buffer: Buffer, bytes: number) => void): void {
    this.joinUpTo(message.sequence - 1);
    for (const buffer of this.deadlines.due(message.millis)) {
      // One that has left knows nothing of the messages between its last and this one: their time is not its time yet.
      if (this.isMember(buffer)) buffer.advance(message.millis);
    }
    const isDuplicate = this.state.continuity.isDuplicate(message.sequence);
    for (const chunk of isDuplicate ? [] : message.chunks) {
      for (const member of this.byPair.get(chunk.pairKey)) {
        const { buffer } = member;
        if (isCurrent(member) && buffer.wantsSweep() && this.state.windowBudget.feed(buffer, message, chunk)) {
          onFed(buffer, chunk.to - chunk.from);
        } else {
          this.leave(member, message.sequence - 1);
        }
      }
    }
    this.position = message.sequence;
  }

  /** Ends the pass: each goes on from here the next time. */
  end(): ReadonlyArray<Buffer> {
    const members = this.byPair.all();
    for (const member of members) this.leave(member, this.position);
    return members.map(({ buffer }) => buffer);
  }

  /**
   * The pass is where the reader is: from here on the reader feeds these buffers. To be called in the same synchronous
   * step in which the positions are compared, for the reader must not move in between.
   */
  arrive(onArrived: (buffer: Buffer) => void): void {
    for (const member of this.byPair.all()) {
      const { buffer } = member;
      if (!isCurrent(member) || buffer.fedTo > this.position) continue;
      this.leave(member, this.position);
      buffer.catchUp();
      this.state.deadlines.watch(buffer);
      onArrived(buffer);
    }
  }

  private joinUpTo(position: number): void {
    while (this.ahead.length > 0 && this.ahead[0]!.fedTo <= position) {
      const buffer = this.ahead.shift()!;
      // Fed, or given up, by others meanwhile: then it lies elsewhere.
      if (buffer.live || buffer.fedTo < this.position || !buffer.wantsSweep()) continue;
      this.byPair.add(buffer.pairKey, { buffer, windowNumber: buffer.windowNumber });
      this.members += 1;
      this.deadlines.watch(buffer);
    }
  }

  private isMember(buffer: Buffer): boolean {
    return this.byPair.get(buffer.pairKey).some((member) => member.buffer === buffer && isCurrent(member));
  }

  private leave(member: Member, fedTo: number): void {
    const { buffer } = member;
    this.byPair.remove(buffer.pairKey, member);
    this.members -= 1;
    if (isCurrent(member)) buffer.fedTo = Math.max(buffer.fedTo, fedTo);
  }
}

const isCurrent = ({ buffer, windowNumber }: Member): boolean => !buffer.live && buffer.windowNumber === windowNumber;
