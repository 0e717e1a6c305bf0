/** What reading everything back has shown. */
export interface Findings {
  /** Records that were sent and are there, each counted once. */
  readonly found: number;
  /** Records that were sent and are nowhere, or not as they were. */
  readonly missing: number;
  /** Copies beyond the first, by customer. */
  readonly duplicatedOf: ReadonlyMap<number, number>;
  /** Lines that nobody sent. */
  readonly unknown: number;
  /** Records with an id of ours and other bytes than were sent. */
  readonly corrupted: number;
  /** Records of another customer than the place they were found at. */
  readonly misplaced: number;
  /** Records that stand after a later one of their customer. */
  readonly outOfOrder: number;
  /** Customers whose bytes, all together and in order, are not the bytes that were sent. */
  readonly customersDiffering: number;
}

/** What was sent, and what of it has been found. */
export interface Expectation {
  /** Remembers a body; once per body, in the order of each customer. */
  readonly expect: (customer: number, first: number, content: Buffer) => void;
  /** Ticks off what one batch holds; in the order of each customer. */
  readonly find: (customer: number, content: Buffer) => void;
  /** Sorts batches of one customer whose names do not tell which came first. */
  readonly rank: (content: Buffer) => number;
  readonly findings: () => Findings;
}

/** Calls `take` with each line of NDJSON, without its newline. An unended last line counts. */
export const eachLine = (content: Buffer, take: (line: Buffer, number: number) => void): void => {
  let start = 0;
  for (let number = 0; start < content.length; number++) {
    const newline = content.indexOf(10, start);
    const end = newline === -1 ? content.length : newline;
    take(content.subarray(start, end), number);
    start = end + 1;
  }
};

/** A map of counts. */
export const count = (counts: Map<number, number>, key: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};
