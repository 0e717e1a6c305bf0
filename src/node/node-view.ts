import { Clock, Effect } from "effect";
import { auditPartition } from "../actors/audit.ts";
import { Owner } from "../actors/owner.ts";
import type { PartitionState } from "../actors/partition/partition-state.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import { Log } from "../actors/ports/log.ts";
import { totalsOf } from "../actors/residency/accounts.ts";
import type { PageRequest } from "../api/page-query.ts";
import { ApiUnavailable, NodeView } from "../api/ports.ts";
import type { BooksReport, DoorReport, ReadinessCheck } from "../api/reports.ts";
import { addBooks, emptyBooks, unexplained } from "../domain/books.ts";
import { Nats } from "../streams/nats.ts";
import { reportsInMemory, reportsPage } from "./job-reports.ts";

/** How old the sums may be in pages after the first. */
const totalsMillisMax = 1_000;

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

  const totals = makeTotals(states);

  const books = Effect.fnUntraced(function* (page: PageRequest) {
    const nowMillis = yield* Clock.currentTimeMillis;
    const { items, next } = reportsPage(states(), jobs.served(), page, nowMillis);
    // Who reads on has just got the sums: the pages of one list need not sum anew what is in memory.
    const sums = totals(nowMillis, page.after === undefined ? 0 : totalsMillisMax);
    return { jobs: items, totals: sums, door: options.door(), ...(next === undefined ? {} : { next }) };
  });

  const booksInMemory = Effect.map(Clock.currentTimeMillis, (nowMillis) => ({
    jobs: reportsInMemory(states(), nowMillis),
    totals: totals(nowMillis, 0),
    door: options.door(),
  }));

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
    books,
    booksInMemory,
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

/** The sums of all books, those that were summed last if they are no older than somebody minds. */
const makeTotals = (states: () => ReadonlyArray<PartitionState>) => {
  let last: { readonly millis: number; readonly totals: BooksReport["totals"] } | undefined;
  return (nowMillis: number, ageMillisMax: number): BooksReport["totals"] => {
    const ageMillis = last === undefined ? Number.POSITIVE_INFINITY : nowMillis - last.millis;
    if (last !== undefined && ageMillis >= 0 && ageMillis < ageMillisMax) return last.totals;
    const books = states().reduce((sum, state) => addBooks(sum, totalsOf(state)), emptyBooks);
    const totals = { books, unexplained: unexplained(books), backlogRecords: books.pending.records };
    last = { millis: nowMillis, totals };
    return totals;
  };
};
