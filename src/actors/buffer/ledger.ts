import { type Account, accounts, type Books, emptyBooks } from "../../domain/books.ts";

interface Count {
  records: number;
  bytes: number;
}

/** A push job's books while its buffer is in memory: mutable, because they change with every chunk. */
export class Ledger {
  private readonly counts: Record<Account, Count>;

  constructor(books: Books = emptyBooks) {
    this.counts = Object.fromEntries(accounts.map((account) => [account, { ...books[account] }])) as Record<
      Account,
      Count
    >;
  }

  /** A chunk header was scanned: one side of the books. */
  accept(records: number, bytes: number): void {
    this.add("accepted", records, bytes);
    this.add("pending", records, bytes);
  }

  /** The encoder's own count of what it wrote: the other side. */
  deliver(records: number, bytes: number): void {
    this.add("delivered", records, bytes);
  }

  /** Chunk headers of a settled range leave the backlog. */
  leavePending(records: number, bytes: number): void {
    this.add("pending", -records, -bytes);
  }

  /** The whole backlog ends here, undelivered. Answers what it was. */
  writeOffPending(account: "expired" | "shed"): Count {
    const { bytes, records } = this.counts.pending;
    this.add(account, records, bytes);
    this.add("pending", -records, -bytes);
    return { records, bytes };
  }

  /** Part of the backlog is gone: a confirmed loss, never a guess. */
  writeOff(account: "expired" | "shed", records: number, bytes: number): void {
    this.add(account, records, bytes);
    this.add("pending", -records, -bytes);
  }

  get pendingRecords(): number {
    return this.counts.pending.records;
  }

  get pendingBytes(): number {
    return this.counts.pending.bytes;
  }

  books(): Books {
    return Object.fromEntries(accounts.map((account) => [account, { ...this.counts[account] }])) as Books;
  }

  private add(account: Account, records: number, bytes: number): void {
    const count = this.counts[account];
    count.records += records;
    count.bytes += bytes;
  }
}
