import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { followPages } from "../api/follow-pages.ts";
import type { AuditReport, BooksReport } from "../api/reports.ts";
import { accounts, type Books } from "../domain/books.ts";
import { type ApiClient, openClient } from "./client.ts";
import { failed } from "./command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { type Column, formatTable, grouped, shortDuration } from "./table.ts";

type BooksBody = BooksReport & { readonly audit?: AuditReport };

/** Recounting reads the whole log. */
const auditMillisMax = 3_600_000;

export const books = Command.make(
  "books",
  {
    audit: Flag.Boolean("audit").pipe(
      Flag.withDescription("Recount the log and compare (reads the whole log)"),
      Flag.withDefault(false),
    ),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const report = yield* readBooks(client, flags.audit);
    yield* Console.log(flags.json ? JSON.stringify(report) : formatBooks(report));
    const verdict = verdictOf(report);
    if (verdict !== undefined) return yield* failed(verdict);
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "Print the books of every push job, in records: accepted = delivered + pending + other, or it shows as unexplained. " +
      "Exit code 1 when something is unexplained or the audit differs.",
  ),
  Command.withShortDescription("The books: what became of every record"),
  Command.withExamples([
    { command: "spillway books", description: "A table of all push jobs" },
    { command: "spillway books --audit --json", description: "Recount the log, for scripts" },
  ]),
);

/** All pages as one report: the jobs of all of them, and the rest as the first one has it. */
const readBooks = Effect.fnUntraced(function* (client: ApiClient, audit: boolean) {
  let first: BooksBody | undefined;
  const { found } = yield* followPages((page) => {
    const isAudited = audit && page.after === undefined;
    const query = new URLSearchParams({ ...page, ...(isAudited ? { audit: "true" } : {}) });
    return client
      .ask({
        method: "GET",
        path: `/v1/books?${query.toString()}`,
        ...(isAudited ? { millisMax: auditMillisMax } : {}),
      })
      .pipe(
        Effect.map(({ body }) => {
          const { next, ...report } = body as BooksBody;
          first ??= report;
          return { items: report.jobs, next };
        }),
      );
  });
  // There is a first page, or the command has failed.
  return { ...first!, jobs: found };
});

const columns: ReadonlyArray<Column> = [
  { title: "job", align: "left" },
  { title: "state", align: "left" },
  { title: "accepted", align: "right" },
  { title: "delivered", align: "right" },
  { title: "pending", align: "right" },
  { title: "other", align: "right" },
  { title: "unexplained", align: "right" },
  { title: "lag", align: "right" },
];

export const formatBooks = (report: BooksBody): string => {
  const rows = report.jobs.map((job) => [
    job.job,
    job.state,
    ...cellsOf(job.books, job.unexplained.records),
    job.books.pending.records === 0 ? "-" : shortDuration(job.lagMillis),
  ]);
  const { totals } = report;
  const sections = [
    formatTable(columns, [...rows, ["total", "", ...cellsOf(totals.books, totals.unexplained.records), ""]]),
  ];
  const troubled = report.jobs.filter((job) => job.lastError !== null && isLatest(job));
  if (troubled.length > 0) {
    sections.push(["Last errors:", ...troubled.map((job) => `  ${job.job}: ${job.lastError ?? ""}`)].join("\n"));
  }
  if (report.door.length > 0) sections.push(formatDoor(report));
  if (report.audit !== undefined) sections.push(formatAudit(report.audit));
  return sections.join("\n\n");
};

const cellsOf = (of: Books, unexplained: number): ReadonlyArray<string> => [
  grouped(of.accepted.records),
  grouped(of.delivered.records),
  grouped(of.pending.records),
  grouped(otherRecords(of)),
  grouped(unexplained),
];

/** Accounts without a column of their own. */
const otherRecords = (of: Books): number =>
  accounts
    .filter((account) => account !== "accepted" && account !== "delivered" && account !== "pending")
    .reduce((sum, account) => sum + of[account].records, 0);

const isLatest = (job: BooksReport["jobs"][number]): boolean =>
  (job.lastErrorMillis ?? 0) > (job.lastSuccessMillis ?? 0);

const formatDoor = (report: BooksReport): string =>
  formatTable(
    [
      { title: "at the door, since start", align: "left" },
      { title: "accepted", align: "right" },
      { title: "refused", align: "right" },
      { title: "unconfigured", align: "right" },
    ],
    report.door.map((door) => [
      door.dataset,
      grouped(door.accepted),
      grouped(door.refused),
      grouped(door.unconfigured),
    ]),
  );

const formatAudit = (audit: AuditReport): string =>
  formatTable(
    [
      { title: "audit", align: "left" },
      { title: "recounted", align: "right" },
      { title: "in the books", align: "right" },
      { title: "difference", align: "right" },
      { title: "note", align: "left" },
    ],
    audit.jobs.map((job) => [
      job.job,
      grouped(job.recountedAccepted.records),
      grouped(job.bookAccepted.records),
      grouped(job.difference.records),
      job.horizon,
    ]),
  );

const verdictOf = (report: BooksBody): string | undefined => {
  const off = report.jobs.filter(({ unexplained }) => unexplained.records !== 0 || unexplained.bytes !== 0);
  if (off.length > 0) return `the books of ${nameJobs(off.map(({ job }) => job))} do not balance`;
  const differing = report.audit?.jobs.filter(({ difference }) => difference.records !== 0 || difference.bytes !== 0);
  if (differing === undefined || differing.length === 0) return undefined;
  return `the log and the books of ${nameJobs(differing.map(({ job }) => job))} differ`;
};

const nameJobs = (names: ReadonlyArray<string>): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
