import { Effect } from "effect";
import { followPages } from "../src/api/follow-pages.ts";

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

type BooksPage = BooksAnswer & { readonly next?: string };

/** The books of a node, of all its push jobs; undefined while it does not answer. */
export const readBooks = async (url: string): Promise<BooksAnswer | undefined> => {
  let totals: BooksAnswer["totals"] | undefined;
  const reading = followPages((page) =>
    Effect.tryPromise(async () => {
      const { jobs, next, ...rest } = await readPage(url, page);
      totals ??= rest.totals;
      return { items: jobs, next };
    }),
  );
  const jobs = await Effect.runPromise(Effect.map(reading, ({ found }) => found)).catch(() => undefined);
  return jobs === undefined || totals === undefined ? undefined : { jobs, totals };
};

/** Their sums alone, for whoever asks again and again; undefined while the node does not answer. */
export const readTotals = (url: string): Promise<BooksAnswer["totals"] | undefined> =>
  readPage(url, { limit: "1" }).then(
    ({ totals }) => totals,
    () => undefined,
  );

const readPage = async (url: string, page: Readonly<Record<string, string>>): Promise<BooksPage> => {
  const response = await fetch(`${url}/v1/books?${new URLSearchParams(page).toString()}`, {
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return (await response.json()) as BooksPage;
};

/** Records that some job's books do not explain; jobs that are off in opposite directions do not cancel each other. */
export const unexplainedRecords = (books: BooksAnswer): number =>
  books.jobs.reduce(
    (sum, { unexplained: { bytes, records } }) => sum + Math.max(Math.abs(records), bytes === 0 ? 0 : 1),
    0,
  );
