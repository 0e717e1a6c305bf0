import type { PartitionState } from "../actors/partition/partition-state.ts";
import { briefOf, idsAfter, type JobBrief, type JobSet } from "../actors/ports/jobs.ts";
import { accountIn, accountsInMemory, type JobAccount } from "../actors/residency/accounts.ts";
import type { PageRequest } from "../api/page-query.ts";
import type { JobReport } from "../api/reports.ts";
import { emptyBooks, unexplained } from "../domain/books.ts";
import { FirstById } from "../domain/first-by-id.ts";
import { type IdPage, idPageOf } from "../domain/id-page.ts";
import { mergedIds } from "../domain/merged-ids.ts";

/**
 * A page of all jobs, by id: those that ever had traffic as their books say, the others with empty ones. Takes as long
 * as what is in memory and the page itself, not as what hibernates. A job is in one page whichever of its places it is
 * found in when that page is made, for the order is that of ids alone.
 */
export const reportsPage = (
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  page: PageRequest,
  nowMillis: number,
): IdPage<JobReport> => {
  const { items, next } = idPageOf(reportsAfter(states, set, page, nowMillis), page.limit);
  return { items: items.flat(), next };
};

function* reportsAfter(
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  page: PageRequest,
  nowMillis: number,
): Generator<readonly [id: string, reports: ReadonlyArray<JobReport>]> {
  const owned = new Set(states.map(({ partition }) => partition));
  const isElsewhere = ({ pairKey }: JobBrief): boolean => {
    const partition = set.pairs.get(pairKey)?.partition;
    return partition !== undefined && !owned.has(partition);
  };
  const found = mergedIds([
    idsAfter(set, page.after),
    ...states.flatMap((state) => [inMemoryAfter(state, page), state.rows.jobsAfter(page.after)]),
  ]);
  for (const [id, places] of found) {
    // After the set, each partition has two places. An id that was given to another customer may be in two partitions.
    const holders = new Set(places.flatMap((place) => (place === 0 ? [] : [states[(place - 1) >> 1]!])));
    const reports = [...holders].flatMap((state) => {
      const account = accountIn(state, id);
      return account === undefined ? [] : [jobReport(account, briefOf(state.jobs, id), nowMillis)];
    });
    const brief = reports.length === 0 ? briefOf(set, id) : undefined;
    if (brief !== undefined && !isElsewhere(brief)) {
      reports.push(jobReport({ ...untouched, job: id, pairKey: brief.pairKey }, brief, nowMillis));
    }
    if (reports.length > 0) yield [id, reports];
  }
}

/** The first few that have an actor or wait for one: the page needs one more than it shows, to know of another. */
const inMemoryAfter = ({ buffers, waitingBuffers }: PartitionState, page: PageRequest): ReadonlyArray<string> => {
  const first = new FirstById<string>(page.limit + 1, (id) => id);
  for (const ids of [buffers.keys(), waitingBuffers.keys()]) {
    for (const id of ids) if (page.after === undefined || id > page.after) first.add(id);
  }
  return first.list();
};

/** Of the jobs whose buffers are in memory, in no particular order. */
export const reportsInMemory = (states: ReadonlyArray<PartitionState>, nowMillis: number): Array<JobReport> =>
  states.flatMap((state) =>
    [...accountsInMemory(state)].map((account) => jobReport(account, briefOf(state.jobs, account.job), nowMillis)),
  );

const untouched = {
  start: 0,
  books: emptyBooks,
  place: "hibernated",
  delivery: "idle",
  pendingSinceMillis: undefined,
  lastSuccessMillis: undefined,
  lastErrorMillis: undefined,
  lastError: undefined,
  evidence: undefined,
} as const;

const jobReport = (account: JobAccount, brief: JobBrief | undefined, nowMillis: number): JobReport => {
  const { books, pendingSinceMillis } = account;
  const [customer = "", dataset = ""] = account.pairKey.split(".");
  return {
    job: account.job,
    customer,
    dataset,
    // A buffer that nothing happens to is idle, in memory or not.
    state: brief?.enabled === false ? "disabled" : account.place === "hibernated" ? "idle" : account.delivery,
    books,
    unexplained: unexplained(books),
    backlogRecords: books.pending.records,
    lagMillis: pendingSinceMillis === undefined ? 0 : Math.max(0, nowMillis - pendingSinceMillis),
    lastSuccessMillis: account.lastSuccessMillis ?? null,
    lastErrorMillis: account.lastErrorMillis ?? null,
    lastError: account.lastError ?? null,
  };
};
