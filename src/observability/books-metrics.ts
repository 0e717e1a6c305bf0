import { Effect, Metric } from "effect";
import type { BooksReport } from "../api/reports.ts";
import { accounts } from "../domain/books.ts";

/** The sums of the books as gauges. Labels are accounts and buffer states, never a customer or a job. */

const booksRecords = Metric.gauge("spillway_books_records", {
  description: "Records in the books of all push jobs, by account.",
});
const unexplainedRecords = Metric.gauge("spillway_books_unexplained_records", {
  description: "Records that the books cannot explain: must be 0.",
});
const backlogRecords = Metric.gauge("spillway_backlog_records", {
  description: "Records between cursor and head of the log, all push jobs.",
});
const lagSecondsMax = Metric.gauge("spillway_lag_seconds_max", {
  description: "Age of the oldest record that is not settled, all push jobs.",
});
const doorRecords = Metric.gauge("spillway_door_records", {
  description: "Records at the door since the start of this node, by verdict.",
});

export const recordBooks = Effect.fnUntraced(function* (report: BooksReport) {
  for (const account of accounts) {
    yield* Metric.update(Metric.withAttributes(booksRecords, { account }), report.totals.books[account].records);
  }
  // The sum of absolute values: a surplus of one job must not hide what another one lacks.
  const unexplained = report.jobs.reduce((sum, job) => sum + Math.abs(job.unexplained.records), 0);
  yield* Metric.update(unexplainedRecords, unexplained);
  yield* Metric.update(backlogRecords, report.totals.backlogRecords);
  yield* Metric.update(lagSecondsMax, report.jobs.reduce((most, job) => Math.max(most, job.lagMillis), 0) / 1_000);
  for (const verdict of ["accepted", "refused", "unconfigured"] as const) {
    const records = report.door.reduce((sum, dataset) => sum + dataset[verdict], 0);
    yield* Metric.update(Metric.withAttributes(doorRecords, { verdict }), records);
  }
});
