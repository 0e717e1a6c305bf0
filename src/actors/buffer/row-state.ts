/** How soon a row wants to be written. */
export type Dirtiness = "clean" | "counted" | "settled" | "urgent";

interface Unwritten {
  readonly firstUncounted: number | undefined;
  readonly settled: boolean;
  readonly urgent: boolean;
  readonly rereadAfter: number;
  readonly anchorNumber: number;
}

const none = Number.MAX_SAFE_INTEGER;

/** What is known of a buffer's row in the store: how far it is behind, and what may not happen before it is written. */
export class RowState {
  /** Whether the row that the next push starts from is durable. */
  anchored: boolean;
  /** Rises with each loss of the anchor: a write that was begun before it does not bring it back. */
  private anchorNumber = 0;
  /** The first sequence that is counted here and not in the durable row. */
  private firstUncounted: number | undefined;
  private settled = false;
  private urgent = false;
  /** A restart would read again what is after this: the cursor of the durable row, while that has anything pending. */
  private rereadAfter: number;
  /** Told when the row is no longer clean. */
  private readonly dirtied: () => void;

  constructor(anchored: boolean, rereadAfter: number | undefined, dirtied: () => void) {
    this.anchored = anchored;
    this.rereadAfter = rereadAfter ?? none;
    this.dirtied = dirtied;
  }

  noteCounted(sequence: number): void {
    if (this.firstUncounted !== undefined) return;
    this.firstUncounted = sequence;
    this.dirtied();
  }

  /** The cursor, or what else a restart must know, has changed. */
  noteSettled(): void {
    this.settled = true;
    this.dirtied();
  }

  noteUrgent(): void {
    this.urgent = true;
    this.dirtied();
  }

  /** No push before the row is written once more. */
  unanchor(): void {
    this.anchored = false;
    this.anchorNumber += 1;
    this.noteUrgent();
  }

  isUrgent(): boolean {
    return this.urgent;
  }

  dirtiness(): Dirtiness {
    if (this.urgent) return "urgent";
    if (this.settled) return "settled";
    return this.firstUncounted === undefined ? "clean" : "counted";
  }

  /** The scan may not pass what the durable row does not count. */
  scanBound(): number {
    return this.firstUncounted === undefined ? none : this.firstUncounted - 1;
  }

  /** The low-water mark may not pass what a restart from the durable row would read again. */
  lowWaterBound(): number {
    return this.rereadAfter;
  }

  /** @param rereadAfter the cursor of the row that is written now, undefined when nothing in it is pending */
  beginWrite(rereadAfter: number | undefined): Unwritten {
    const { anchorNumber, firstUncounted, settled, urgent } = this;
    const before = { anchorNumber, firstUncounted, rereadAfter: this.rereadAfter, settled, urgent };
    this.rereadAfter = rereadAfter ?? none;
    this.firstUncounted = undefined;
    this.settled = false;
    this.urgent = false;
    return before;
  }

  /** Answers whether pushes may begin that could not before. */
  endWrite(before: Unwritten): boolean {
    if (this.anchored || before.anchorNumber !== this.anchorNumber) return false;
    this.anchored = true;
    return true;
  }

  failWrite(before: Unwritten): void {
    this.firstUncounted = before.firstUncounted ?? this.firstUncounted;
    this.settled ||= before.settled;
    this.urgent ||= before.urgent;
    // It may have landed all the same.
    this.rereadAfter = Math.min(this.rereadAfter, before.rereadAfter);
    this.dirtied();
  }
}
