interface Tally {
  readonly records: number;
  readonly bytes: number;
}

interface JobBooks {
  readonly accepted: Tally;
  readonly delivered: Tally;
  readonly pending: Tally;
  readonly [account: string]: Tally;
}

/** The part of `GET /v1/books` that is used here. */
export interface BooksAnswer {
  readonly jobs: ReadonlyArray<{
    readonly job: string;
    readonly customer: string;
    readonly state: string;
    readonly books: JobBooks;
    readonly unexplained: Tally;
    readonly lastError: string | null;
  }>;
  readonly totals: { readonly books: JobBooks; readonly unexplained: Tally };
}

/** The books of a node; undefined while it does not answer. */
export const readBooks = async (url: string): Promise<BooksAnswer | undefined> => {
  try {
    const response = await fetch(`${url}/v1/books`, { signal: AbortSignal.timeout(10_000) });
    return response.ok ? ((await response.json()) as BooksAnswer) : undefined;
  } catch {
    return undefined;
  }
};

/** Records that some job's books do not explain; jobs that are off in opposite directions do not cancel each other. */
export const unexplainedRecords = (books: BooksAnswer): number =>
  books.jobs.reduce(
    (sum, { unexplained: { bytes, records } }) => sum + Math.max(Math.abs(records), bytes === 0 ? 0 : 1),
    0,
  );
