/**
 * The books of one push job, in records and uncompressed bytes.
 *
 * Two sides are kept apart. `accepted` and `pending` rise from chunk headers when the owner scans the log; `delivered`
 * rises from what the encoder wrote, `pending` falls from the chunk headers of the settled range. `unexplained`
 * compares
 * the two and is never used to make them agree.
 */
export interface Tally {
  readonly records: number;
  readonly bytes: number;
}

export const accounts = [
  "accepted",
  "delivered",
  "filtered",
  "sampled",
  "expired",
  "shed",
  "deadLettered",
  "pending",
] as const;
export type Account = (typeof accounts)[number];

export type Books = { readonly [account in Account]: Tally };

const nothing: Tally = { records: 0, bytes: 0 };

export const emptyBooks: Books = {
  accepted: nothing,
  delivered: nothing,
  filtered: nothing,
  sampled: nothing,
  expired: nothing,
  shed: nothing,
  deadLettered: nothing,
  pending: nothing,
};

/** accepted − (delivered + filtered + sampled + expired + shed + dead-lettered + pending): must be 0. */
export const unexplained = (books: Books): Tally => {
  const others = accounts.filter((account) => account !== "accepted");
  const sum = (unit: keyof Tally) => others.reduce((total, account) => total + books[account][unit], 0);
  return { records: books.accepted.records - sum("records"), bytes: books.accepted.bytes - sum("bytes") };
};

export const addTally = (a: Tally, b: Tally): Tally => ({ records: a.records + b.records, bytes: a.bytes + b.bytes });

export const addBooks = (a: Books, b: Books): Books => ({
  accepted: addTally(a.accepted, b.accepted),
  delivered: addTally(a.delivered, b.delivered),
  filtered: addTally(a.filtered, b.filtered),
  sampled: addTally(a.sampled, b.sampled),
  expired: addTally(a.expired, b.expired),
  shed: addTally(a.shed, b.shed),
  deadLettered: addTally(a.deadLettered, b.deadLettered),
  pending: addTally(a.pending, b.pending),
});

/** Records and bytes of each account, in the order of `accounts`: the short form in which books are kept and stored. */
export const numbersOfBooks = (books: Books): Array<number> =>
  accounts.flatMap((account) => [books[account].records, books[account].bytes]);

/** The books that such numbers stand for; what is missing is 0. */
export const booksOfNumbers = (numbers: ReadonlyArray<number>): Books => {
  const at = (place: number): Tally => ({ records: numbers[2 * place] ?? 0, bytes: numbers[2 * place + 1] ?? 0 });
  return {
    accepted: at(0),
    delivered: at(1),
    filtered: at(2),
    sampled: at(3),
    expired: at(4),
    shed: at(5),
    deadLettered: at(6),
    pending: at(7),
  };
};
