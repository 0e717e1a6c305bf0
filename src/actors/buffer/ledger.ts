import { type Account, type Books, emptyBooks, type Tally } from "../../domain/books.ts";

interface Count {
  records: number;
  bytes: number;
}

type Settled = Exclude<Account, "accepted" | "pending">;

/** A push job's books while its buffer is in memory: mutable, because they change with every chunk. */
export class Ledger {
  // What every chunk changes lies in the object itself: of ten thousand ledgers none is in the processor's cache.
  private acceptedRecords: number;
  private acceptedBytes: number;
  pendingRecords: number;
  pendingBytes: number;
  /** Accepted records that never were pending; since this ledger was made. */
  private unreadRecords = 0;
  private readonly settled: Record<Settled, Count>;

  constructor(books: Books = emptyBooks) {
    this.acceptedRecords = books.accepted.records;
    this.acceptedBytes = books.accepted.bytes;
    this.pendingRecords = books.pending.records;
    this.pendingBytes = books.pending.bytes;
    this.settled = copyOf(books);
  }

  /** A chunk header was scanned: one side of the books. */
  accept(records: number, bytes: number): void {
    this.acceptedRecords += records;
    this.acceptedBytes += bytes;
    this.pendingRecords += records;
    this.pendingBytes += bytes;
  }

  /** The encoder's own count of what it wrote: the other side. */
  deliver(records: number, bytes: number): void {
    this.add("delivered", records, bytes);
  }

  /** Chunk headers of a settled range leave the backlog. */
  leavePending(records: number, bytes: number): void {
    this.pendingRecords -= records;
    this.pendingBytes -= bytes;
  }

  /** The whole backlog ends here, undelivered. Answers what it was. */
  writeOffPending(account: "expired" | "shed"): Tally {
    const backlog = { records: this.pendingRecords, bytes: this.pendingBytes };
    this.writeOff(account, backlog.records, backlog.bytes);
    return backlog;
  }

  /** Part of the backlog is gone: a confirmed loss, never a guess. */
  writeOff(account: "expired" | "shed", records: number, bytes: number): void {
    this.add(account, records, bytes);
    this.leavePending(records, bytes);
  }

  /** Records that were lost before anybody had counted them. Their uncompressed bytes are not known: 0. */
  loseUnread(records: number): void {
    this.acceptedRecords += records;
    this.unreadRecords += records;
    this.add("expired", records, 0);
  }

  /** What chunk headers have brought into the backlog; only the difference between two moments means anything. */
  counted(): Tally {
    return { records: this.acceptedRecords - this.unreadRecords, bytes: this.acceptedBytes };
  }

  books(): Books {
    const accepted = { records: this.acceptedRecords, bytes: this.acceptedBytes };
    const pending = { records: this.pendingRecords, bytes: this.pendingBytes };
    return { accepted, ...copyOf(this.settled), pending };
  }

  /** Records have left the backlog for this account; what they were pending with leaves by `leavePending`. */
  add(account: Settled, records: number, bytes: number): void {
    const count = this.settled[account];
    count.records += records;
    count.bytes += bytes;
  }
}

/** Written out: a row is made for every batch, and an object of one fixed shape costs a tenth. */
const copyOf = (books: Readonly<Record<Settled, Tally>>): Record<Settled, Count> => ({
  delivered: countOf(books.delivered),
  filtered: countOf(books.filtered),
  sampled: countOf(books.sampled),
  expired: countOf(books.expired),
  shed: countOf(books.shed),
  deadLettered: countOf(books.deadLettered),
});

const countOf = ({ bytes, records }: Tally): Count => ({ records, bytes });
