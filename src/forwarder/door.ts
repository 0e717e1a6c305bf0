import { refusedReasons, type RefusedReason, type Refusals } from "./refusals.ts";

/** What the door did with the records of one dataset since this node started, in records and bytes. Plain JSON. */
export interface DoorBook {
  readonly dataset: string;
  readonly accepted: number;
  readonly refused: number;
  readonly unconfigured: number;
  /** Uncompressed, one newline per record. */
  readonly acceptedBytes: number;
  readonly refusedBytes: number;
  readonly unconfiguredBytes: number;
  readonly refusedByReason: Readonly<Partial<Record<RefusedReason, number>>>;
}

/** What became of the records of one body. */
export interface DoorCounts {
  readonly accepted: number;
  readonly acceptedBytes: number;
  readonly unconfigured: number;
  readonly unconfiguredBytes: number;
  readonly refusals: Pick<Refusals, "byReason" | "bytes" | "count">;
}

type Counts = { -readonly [Name in Exclude<keyof DoorBook, "dataset" | "refusedByReason">]: DoorBook[Name] } & {
  readonly byReason: Partial<Record<RefusedReason, number>>;
};

/**
 * Datasets that are booked under their own names: those that are known or once had a record accepted, and, fewer, names
 * that only strangers use. What is beyond is booked together, so that neither fills the memory nor hides the other.
 */
export const datasetsMax = 1_000;
export const strangersMax = 100;
export const otherDatasets = "(other)";

/** The door's own book: records that never got in have no push job to be booked with. */
export class Door {
  private readonly byDataset = new Map<string, Counts>();
  private readonly strangers = new Map<string, Counts>();
  private readonly others = noCounts();

  /** @param known whether the catalogue has the dataset */
  record(dataset: string, known: boolean, counts: DoorCounts): void {
    const book = this.of(dataset, known || counts.accepted > 0);
    book.accepted += counts.accepted;
    book.acceptedBytes += counts.acceptedBytes;
    book.unconfigured += counts.unconfigured;
    book.unconfiguredBytes += counts.unconfiguredBytes;
    book.refused += counts.refusals.count;
    book.refusedBytes += counts.refusals.bytes;
    if (counts.refusals.count === 0) return;
    for (const reason of refusedReasons) {
      const more = counts.refusals.byReason[reason];
      if (more !== undefined) book.byReason[reason] = (book.byReason[reason] ?? 0) + more;
    }
  }

  books(): ReadonlyArray<DoorBook> {
    const all = [...this.byDataset, ...this.strangers];
    const rest: Array<[string, Counts]> = isEmpty(this.others) ? [] : [[otherDatasets, this.others]];
    return [...all, ...rest].map(([dataset, { byReason, ...counts }]) => ({
      dataset,
      ...counts,
      refusedByReason: { ...byReason },
    }));
  }

  private of(dataset: string, trusted: boolean): Counts {
    const own = this.byDataset.get(dataset);
    if (own !== undefined) return own;
    const before = this.strangers.get(dataset);
    const [shelf, max] = trusted ? [this.byDataset, datasetsMax] : [this.strangers, strangersMax];
    if (before !== undefined && (!trusted || shelf.size >= max)) return before;
    if (shelf.size >= max) return this.others;
    const book = before ?? noCounts();
    if (before !== undefined) this.strangers.delete(dataset);
    shelf.set(dataset, book);
    return book;
  }
}

const noCounts = (): Counts => ({
  accepted: 0,
  refused: 0,
  unconfigured: 0,
  acceptedBytes: 0,
  refusedBytes: 0,
  unconfiguredBytes: 0,
  byReason: {},
});

const isEmpty = ({ accepted, refused, unconfigured }: Counts): boolean => accepted + refused + unconfigured === 0;
