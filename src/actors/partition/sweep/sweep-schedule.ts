import type { Buffer } from "../../buffer/buffer.ts";
import type { PartitionState } from "../partition-state.ts";

export interface SweepScheduleOptions {
  readonly sweepSliceBytesMax: number;
  /** So much of the newest end of the log is the near lane. */
  readonly sweepNearBytesMax: number;
}

export type Lane = "near" | "far";

/** A slice to be read: who begins in it, in the order of where. */
export interface SlicePlan {
  readonly lane: Lane;
  readonly members: ReadonlyArray<Buffer>;
}

/** Of four slices the far lane has one, while both lanes want some. */
const farTurn = 4;
/** How much less the wait of a buffer weighs whose destination failed the last time. */
const retryFactor = 1 / 8;

interface Wait {
  /** Since when it has been ready without being fed. */
  sinceMillis: number;
  round: number;
}

/**
 * Decides whom the next slice serves. Two lanes: who lags a little is never behind who lags a day. Within a lane, who
 * has waited longest by weight leads, and everybody near it comes along: k buffers that lag together cost one read.
 */
export class SweepSchedule {
  private readonly state: PartitionState;
  private readonly options: SweepScheduleOptions;
  private readonly waits = new WeakMap<Buffer, Wait>();
  private round = 0;
  private turn = 0;

  constructor(state: PartitionState, options: SweepScheduleOptions) {
    this.state = state;
    this.options = options;
  }

  ready(): ReadonlyArray<Buffer> {
    return [...this.state.buffers.values()].filter((buffer) => buffer.wantsSweep());
  }

  next(nowMillis: number): SlicePlan | undefined {
    const ready = this.ready();
    this.noteWaits(ready, nowMillis);
    if (ready.length === 0) return undefined;
    const { sweepNearBytesMax, sweepSliceBytesMax } = this.options;
    const nearFrom = this.state.position - this.state.sequencesIn(sweepNearBytesMax);
    const near = ready.filter(({ fedTo }) => fedTo >= nearFrom);
    const lane = this.laneOf(near.length, ready.length - near.length);
    const own = lane === "near" ? near : ready.filter(({ fedTo }) => fedTo < nearFrom);
    const leader = own.reduce((best, buffer) => (this.before(buffer, best, nowMillis) ? buffer : best));
    // Those just behind it are met on the way, when the slice begins with them.
    const reach = leader.fedTo - this.state.sequencesIn(sweepSliceBytesMax);
    const first = own.reduce((low, { fedTo }) => (fedTo > reach ? Math.min(low, fedTo) : low), leader.fedTo);
    const ahead = ready.filter(({ fedTo }) => fedTo >= first);
    return { lane, members: this.admit(leader, ahead, nowMillis) };
  }

  /** Who is ready by now and lies ahead of a slice under way; memory allowing. */
  joiners(position: number, isMember: (buffer: Buffer) => boolean, nowMillis: number): ReadonlyArray<Buffer> {
    const ready = this.ready();
    this.noteWaits(ready, nowMillis);
    const late = ready.filter((buffer) => buffer.fedTo >= position && !isMember(buffer));
    return late.length === 0 ? late : this.admit(undefined, late, nowMillis);
  }

  /** A slice has offered it something. */
  served(buffer: Buffer, nowMillis: number): void {
    const wait = this.waits.get(buffer);
    if (wait !== undefined) wait.sinceMillis = nowMillis;
  }

  private laneOf(near: number, far: number): Lane {
    if (near === 0) return "far";
    if (far === 0) return "near";
    this.turn = (this.turn + 1) % farTurn;
    return this.turn === 0 ? "far" : "near";
  }

  private noteWaits(ready: ReadonlyArray<Buffer>, nowMillis: number): void {
    this.round += 1;
    for (const buffer of ready) {
      const wait = this.waits.get(buffer);
      if (wait === undefined) this.waits.set(buffer, { sinceMillis: nowMillis, round: this.round });
      else {
        // Not ready for a while: that it was not fed then was its own doing.
        if (wait.round !== this.round - 1) wait.sinceMillis = nowMillis;
        wait.round = this.round;
      }
    }
  }

  /** Deficit: time waited, by weight. First tries come before retries that have waited as long. */
  private deficit(buffer: Buffer, nowMillis: number): number {
    const waited = Math.max(0, nowMillis - (this.waits.get(buffer)?.sinceMillis ?? nowMillis)) + 1;
    return waited * buffer.weight() * (buffer.lastErrorMillis === undefined ? 1 : retryFactor);
  }

  private before(a: Buffer, b: Buffer, nowMillis: number): boolean {
    const more = this.deficit(a, nowMillis) - this.deficit(b, nowMillis);
    return more > 0 || (more === 0 && a.fedTo < b.fedTo);
  }

  /**
   * As many as memory has room for, those in greatest deficit first, and always the leader: it must get on even when
   * everything is full. What a buffer will take is not known; more than a batch, or than its backlog, it is not.
   */
  private admit(leader: Buffer | undefined, buffers: ReadonlyArray<Buffer>, nowMillis: number): ReadonlyArray<Buffer> {
    let room = this.state.windowBudget.sweepRoom(nowMillis);
    let admitted = buffers;
    if (Number.isFinite(room) && buffers.reduce((sum, buffer) => sum + mayTake(buffer), 0) > room) {
      const order = buffers.toSorted((a, b) => this.deficit(b, nowMillis) - this.deficit(a, nowMillis));
      admitted = order.filter((buffer) => {
        if (buffer === leader) return true;
        room -= mayTake(buffer);
        return room >= 0;
      });
    }
    return admitted.toSorted((a, b) => a.fedTo - b.fedTo);
  }
}

const mayTake = ({ effective, ledger, window }: Buffer): number =>
  Math.max(0, Math.min(ledger.pendingBytes, effective.job.batch.maxBytes) - window.bytes());
