import { residentBuffersBounds } from "../../domain/residency-default.ts";
import type { Buffer } from "../buffer/buffer.ts";

export interface ResidencyOptions {
  /** Most buffers with an actor on this node. 0: nobody has worked it out, and it is the least that any node has. */
  readonly residentBuffersMax: number;
  /** A buffer that nothing happens to for so long hibernates. */
  readonly hibernateAfterMillis: number;
  /** Spends what it takes to create a buffer of a job that never had one; false: not now. */
  readonly mayCreate: () => boolean;
  /** False only in a drill that shows what comes of it: then there is a place for everybody. */
  readonly isBounded?: () => boolean;
}

/** Newcomers hold at most one part in so many of the residency. */
const newcomersShare = 2;
/** From this share of the places on, buffers hibernate as soon as they are quiescent. */
const scarcePercent = 90;
const stuckMillisMax = 10_000;
/** Who waits asks for a place in every round of the reaper; who has not for so long waits no more. */
const missedMillisMax = 5_000;

/**
 * The node's places for buffers with an actor. A newcomer (nothing of it was ever delivered) may have one only while
 * newcomers hold less than half of all: forty times as many new customers must not put the established ones out.
 */
export class Residency {
  private readonly options: ResidencyOptions;
  /** Places in all. */
  readonly max: number;
  private readonly residents = new Set<Buffer>();
  private readonly newcomers = new Set<Buffer>();
  private readonly missedMillis = { established: Number.NEGATIVE_INFINITY, newcomer: Number.NEGATIVE_INFINITY };
  /**
   * Since the node started: buffers that hibernated, that a chunk woke, that were refused a place (they wait, and lose
   * nothing), and that gave theirs up to others.
   */
  readonly counts = { hibernated: 0, woken: 0, refused: 0, evicted: 0 };

  constructor(options: ResidencyOptions) {
    this.options = options;
    this.max = options.residentBuffersMax > 0 ? options.residentBuffersMax : residentBuffersBounds.least;
  }

  get size(): number {
    return this.residents.size;
  }

  get newcomersSize(): number {
    return this.newcomers.size;
  }

  /** Whether a buffer may have a place now. Spends for a newcomer: to be followed by `enter`. */
  mayEnter(newcomer: boolean): boolean {
    if (this.options.isBounded?.() === false) return true;
    if (this.isFull()) return false;
    return !newcomer || (this.newcomers.size < this.newcomersMax() && this.options.mayCreate());
  }

  private newcomersMax(): number {
    return Math.ceil(this.max / newcomersShare);
  }

  /**
   * Somebody who waits, in whichever partition, could not enter.
   *
   * @param nowMillis on a steady clock, as below
   */
  miss(newcomer: boolean, nowMillis: number): void {
    this.missedMillis[newcomer ? "newcomer" : "established"] = nowMillis;
  }

  /** Whether somebody who waits can enter only when this buffer gives up its place. */
  isWanted(buffer: Buffer, nowMillis: number): boolean {
    const { established, newcomer } = this.missedMillis;
    const isFull = this.isFull();
    if (isFull && nowMillis - established < missedMillisMax) return true;
    if (nowMillis - newcomer >= missedMillisMax) return false;
    const others = this.newcomers.size - (this.newcomers.has(buffer) ? 1 : 0);
    return others < this.newcomersMax() && (isFull || this.newcomers.size >= this.newcomersMax());
  }

  isFull(): boolean {
    return this.residents.size >= this.max && this.options.isBounded?.() !== false;
  }

  enter(buffer: Buffer, newcomer: boolean): void {
    this.residents.add(buffer);
    if (newcomer) this.newcomers.add(buffer);
  }

  leave(buffer: Buffer): void {
    this.residents.delete(buffer);
    this.newcomers.delete(buffer);
  }

  /** Something of it was delivered. */
  establish(buffer: Buffer): void {
    this.newcomers.delete(buffer);
  }

  /** How long a buffer that cannot deliver keeps its place when others wait for one. */
  stuckMillisMin(): number {
    return Math.min(stuckMillisMax, this.options.hibernateAfterMillis);
  }

  /** How long a buffer must have been quiescent: not at all when places are scarce. */
  idleMillisMin(): number {
    return this.residents.size * 100 >= this.max * scarcePercent ? 0 : this.options.hibernateAfterMillis;
  }
}
