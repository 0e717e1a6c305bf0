/** What one transaction wrote: it lies in the store one behind the other. */
export interface TransactionWritten {
  /** Of its first message that was read. */
  readonly first: number;
  readonly last: number;
  /** Whose jobs it changed. */
  readonly customers: ReadonlySet<string>;
}

const transactionsMax = 64;

/** Transactions that changed several customers, so that what waits of one of them comes into force together. */
export class WrittenTogether {
  /** In the order in which they were read. */
  private transactions: ReadonlyArray<TransactionWritten> = [];

  /** @param pendingFrom the oldest change that is not in force: what was written before it, is */
  note(written: TransactionWritten, pendingFrom: () => number): void {
    if (written.customers.size < 2) return;
    this.transactions = [...this.transactions.filter(({ first }) => first !== written.first), written];
    if (this.transactions.length <= transactionsMax) return;
    const from = pendingFrom();
    this.transactions = this.transactions.filter(({ last }) => last >= from);
    const [one, two, ...others] = this.transactions;
    // More goes together than has to. Never less.
    if (one !== undefined && two !== undefined && this.transactions.length > transactionsMax)
      this.transactions = [merged(one, two), ...others];
  }

  /**
   * These customers, and all whose changes must not come into force later than theirs.
   *
   * @param pending revisions that are not in force
   */
  with(customers: Iterable<string>, pending: ReadonlyArray<number>): ReadonlySet<string> {
    const open = this.transactions.filter(({ first, last }) => pending.some((each) => each >= first && each <= last));
    this.transactions = open;
    const together = new Set(customers);
    for (let before = 0; before < together.size;) {
      before = together.size;
      for (const { customers: changed } of open) {
        if ([...changed].some((each) => together.has(each))) for (const each of changed) together.add(each);
      }
    }
    return together;
  }

  clear(): void {
    this.transactions = [];
  }
}

const merged = (a: TransactionWritten, b: TransactionWritten): TransactionWritten => ({
  first: Math.min(a.first, b.first),
  last: Math.max(a.last, b.last),
  customers: new Set([...a.customers, ...b.customers]),
});
