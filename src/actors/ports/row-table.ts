import { accounts, type Books, booksOfNumbers, numbersOfBooks } from "../../domain/books.ts";
import { IdOrder } from "../../domain/id-order.ts";
import { KeyedBytes } from "../../domain/keyed-bytes.ts";
import type { Row } from "./checkpoints.ts";

/** 2^10 segments: a partition of a hundred thousand rows has some hundred in each. */
const segmentBits = 10;
/** Few, for there are many partitions, and a list needs few of each. */
const orderedMax = 4_096;

/**
 * Rows by job in as little memory as they need, some 120 bytes each: a node has a million that nothing happens to. They
 * are made objects of when somebody asks.
 */
export class RowTable implements Iterable<Row> {
  private readonly rows = new KeyedBytes(segmentBits);
  private readonly order = new IdOrder(() => this.rows.keys(), orderedMax);
  /** Records and bytes of each account, summed. */
  private readonly sums = accounts.map(() => ({ records: 0, bytes: 0 }));

  static from(rows: Iterable<Row>): RowTable {
    const table = new RowTable();
    for (const row of rows) table.put(row);
    return table;
  }

  get size(): number {
    return this.rows.size;
  }

  /** The sum of all books. Kept, not counted: whoever asks must not wait for a million rows. */
  totals(): Books {
    return Object.fromEntries(accounts.map((account, i) => [account, { ...this.sums[i]! }])) as unknown as Books;
  }

  has(job: string): boolean {
    return this.rows.has(job);
  }

  get(job: string): Row | undefined {
    const packed = this.rows.get(job);
    return packed === undefined ? undefined : unpack(job, packed);
  }

  /** In place of the one of the same job. */
  put(row: Row): void {
    this.take(row.job);
    this.rows.set(row.job, pack(row));
    this.order.added(row.job);
    this.add(row.books, 1);
  }

  /** Removes it and answers it. */
  take(job: string): Row | undefined {
    const row = this.get(job);
    if (row === undefined) return undefined;
    this.add(row.books, -1);
    this.rows.delete(job);
    return row;
  }

  /** In no particular order. */
  *[Symbol.iterator](): Generator<Row> {
    for (const [job, packed] of this.rows.entries()) yield unpack(job, packed);
  }

  /** Their jobs, in order. The table must not change meanwhile. */
  *jobsAfter(after: string | undefined): Generator<string> {
    for (const job of this.order.after(after)) if (this.rows.has(job)) yield job;
  }

  private add(books: Books, sign: 1 | -1): void {
    accounts.forEach((account, i) => {
      this.sums[i]!.records += sign * books[account].records;
      this.sums[i]!.bytes += sign * books[account].bytes;
    });
  }
}

/** Stands for `undefined`, which JSON does not know and which some of a row's members must be. */
const nothing = "\u0000undefined";

/** As JSON: what every row has, by place; then whatever else this row has, by name. */
const pack = (row: Row): Uint8Array => {
  const { books, counted, cursor, cuts, deleted, job: _, lastSuccessMillis, pairKey, revision, start, ...rest } = row;
  const numbers = numbersOfBooks(books);
  while (numbers.at(-1) === 0) numbers.pop();
  const others = Object.entries(rest).filter(([, value]) => value !== undefined);
  const packed: Array<unknown> = [pairKey, revision, start, cursor, counted, lastSuccessMillis ?? null, numbers];
  if (cuts.length > 0 || deleted || others.length > 0) packed.push(cuts, deleted, Object.fromEntries(others));
  // Looked for only where there can be any: a replacer takes longer than all the rest.
  const text = others.length === 0 ? JSON.stringify(packed) : JSON.stringify(packed, withoutUndefined);
  return Buffer.from(text);
};

const withoutUndefined = (_key: string, value: unknown): unknown => (value === undefined ? nothing : value);

type Packed = [
  pairKey: string,
  revision: number,
  start: number,
  cursor: number,
  counted: number,
  lastSuccessMillis: number | null,
  numbers: ReadonlyArray<number>,
  cuts?: ReadonlyArray<number>,
  deleted?: boolean,
  rest?: Partial<Row>,
];

const unpack = (job: string, packed: Buffer): Row => {
  const text = packed.toString("utf8");
  const value = JSON.parse(text) as Packed;
  const [pairKey, revision, start, cursor, counted, lastSuccessMillis, numbers, cuts = [], deleted = false, rest] =
    text.includes("\\u0000undefined") ? (revive(value) as Packed) : value;
  return {
    job,
    pairKey,
    revision,
    start,
    cursor,
    counted,
    cuts,
    books: booksOfNumbers(numbers),
    snapshot: undefined,
    deleted,
    lastSuccessMillis: lastSuccessMillis ?? undefined,
    lastErrorMillis: undefined,
    lastError: undefined,
    ...rest,
  };
};

const revive = (value: unknown): unknown => {
  if (value === nothing) return undefined;
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revive(each)]));
};
