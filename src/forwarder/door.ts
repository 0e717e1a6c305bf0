import { refusedReasons, type Refusals } from "./refusals.ts";

/** What the door did with the records of one dataset since this node started. */
export interface DoorBook {
  readonly dataset: string;
  readonly accepted: number;
  readonly refused: number;
  readonly unconfigured: number;
  readonly refusedByReason: Readonly<Record<string, number>>;
}

interface Counts {
  accepted: number;
  refused: number;
  unconfigured: number;
  readonly byReason: Map<string, number>;
}

/** Datasets that come in names of their own; what is beyond is counted together: strangers must not fill the memory. */
const datasetsMax = 1_000;
const others = "(other)";

/** The door's own book: records that never got in have no push job to be booked with. */
export class Door {
  private readonly byDataset = new Map<string, Counts>();

  record(dataset: string, counts: { readonly accepted: number; readonly unconfigured: number }, refusals: Refusals): void {
    const own = this.of(dataset);
    own.accepted += counts.accepted;
    own.unconfigured += counts.unconfigured;
    own.refused += refusals.count;
    for (const reason of refusedReasons) {
      const more = refusals.byReason[reason];
      if (more !== undefined) own.byReason.set(reason, (own.byReason.get(reason) ?? 0) + more);
    }
  }

  private of(dataset: string): Counts {
    const name = this.byDataset.has(dataset) || this.byDataset.size < datasetsMax ? dataset : others;
    let own = this.byDataset.get(name);
    if (own === undefined) {
      own = { accepted: 0, refused: 0, unconfigured: 0, byReason: new Map() };
      this.byDataset.set(name, own);
    }
    return own;
  }

  books(): ReadonlyArray<DoorBook> {
    return [...this.byDataset].map(([dataset, { byReason, ...counts }]) => ({
      dataset,
      ...counts,
      refusedByReason: Object.fromEntries(byReason),
    }));
  }
}
