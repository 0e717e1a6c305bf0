/** One step of a buffer's actor that led to another state. */
export interface Transition {
  /** Epoch millis. */
  readonly millis: number;
  readonly event: string;
  readonly flow: string;
  readonly delivery: string;
}

const entriesMax = 16;

/** The last few transitions of a buffer, always kept: what happened before somebody began to look. */
export class Recent {
  private readonly entries: Array<Transition> = [];
  private next = 0;

  note(millis: number, event: string, flow: string, delivery: string): void {
    this.entries[this.next] = { millis, event, flow, delivery };
    this.next = (this.next + 1) % entriesMax;
  }

  /** Oldest first. */
  list(): ReadonlyArray<Transition> {
    return [...this.entries.slice(this.next), ...this.entries.slice(0, this.next)];
  }

  last(): Transition | undefined {
    return this.entries.at(this.next - 1);
  }
}
