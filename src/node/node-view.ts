import { Clock, Effect } from "effect";
import { auditPartition } from "../actors/audit.ts";
import { Owner } from "../actors/owner.ts";
import type { PartitionState } from "../actors/partition/partition-state.ts";
import { briefOf, briefsOf, type JobBrief, Jobs, type JobSet } from "../actors/ports/jobs.ts";
import { Log } from "../actors/ports/log.ts";
import { accountsInMemory, accountsOf, type JobAccount, totalsOf } from "../actors/residency/accounts.ts";
import { ApiUnavailable, NodeView } from "../api/ports.ts";
import type { DoorReport, JobReport, ReadinessCheck } from "../api/reports.ts";
import { addBooks, emptyBooks, unexplained } from "../domain/books.ts";
import { Nats } from "../streams/nats.ts";

export interface NodeViewOptions {
  readonly partitions: number;
  readonly version: { readonly spillway: string; readonly node: string; readonly natsServer: string | undefined };
  readonly door: () => ReadonlyArray<DoorReport>;
}

/** What the API says about this node: read from the live state, never from a copy. */
export const makeNodeView = Effect.fnUntraced(function* (options: NodeViewOptions) {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  const nats = yield* Nats;
  const log = yield* Log;
  const states = (): ReadonlyArray<PartitionState> => [...owner.owned().values()].map(({ state }) => state);

  const booksOf = Effect.fnUntraced(function* (all: boolean) {
    const now = yield* Clock.currentTimeMillis;
    const reports = all ? reportsOf(states(), jobs.served(), now) : reportsInMemory(states(), now);
    const total = states().reduce((sum, state) => addBooks(sum, totalsOf(state)), emptyBooks);
    return {
      jobs: reports.toSorted((a, b) => (a.job < b.job ? -1 : 1)),
      totals: {
        books: total,
        unexplained: unexplained(total),
        backlogRecords: total.pending.records,
      },
      door: options.door(),
    };
  });

  const audit = Effect.gen(function* () {
    const audits = yield* Effect.forEach(states(), auditPartition).pipe(Effect.provideService(Log, log));
    return { jobs: audits.flat().toSorted((a, b) => (a.job < b.job ? -1 : 1)) };
  }).pipe(Effect.mapError(({ detail }) => new ApiUnavailable({ detail: `The log cannot be read: ${detail}` })));

  const readiness = Effect.sync((): ReadonlyArray<ReadinessCheck> => {
    const owned = owner.owned().size;
    const paused = states().filter(({ mayPush }) => !mayPush).length;
    return [
      check("nats", nats.connected(), "connected", "a connection to NATS is down; it is tried again"),
      check("partitions", owned === options.partitions, `${owned} owned`, `${owned} of ${options.partitions} owned`),
      check("checkpoints", paused === 0, "landing", `${paused} partitions have had no checkpoint for too long`),
    ];
  });

  return NodeView.of({
    books: booksOf(true),
    booksInMemory: booksOf(false),
    audit,
    readiness,
    version: options.version,
  });
});

const check = (name: string, ready: boolean, good: string, bad: string): ReadinessCheck => ({
  name,
  ready,
  detail: ready ? good : bad,
});

/** Of all jobs: those that ever had traffic as their books say, the others with empty ones. */
const reportsOf = (states: ReadonlyArray<PartitionState>, set: JobSet, nowMillis: number): Array<JobReport> => {
  const reports: Array<JobReport> = [];
  const seen = new Set<string>();
  for (const state of states) {
    for (const account of accountsOf(state)) {
      seen.add(account.job);
      reports.push(jobReport(account, briefOf(state.jobs, account.job), nowMillis));
    }
  }
  const owned = new Set(states.map(({ partition }) => partition));
  for (const [job, brief] of briefsOf(set)) {
    const partition = set.pairs.get(brief.pairKey)?.partition;
    if (seen.has(job) || (partition !== undefined && !owned.has(partition))) continue;
    reports.push(jobReport({ ...untouched, job, pairKey: brief.pairKey }, brief, nowMillis));
  }
  return reports;
};

const reportsInMemory = (states: ReadonlyArray<PartitionState>, nowMillis: number): Array<JobReport> =>
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
