import { type BooksAnswer, unexplainedRecords } from "./books.ts";
import type { Findings } from "./check/findings.ts";
import type { PostCounts } from "./check/read-posts.ts";
import type { Readings } from "./check/check-deliveries.ts";
import { number } from "./progress.ts";
import { kindOf } from "./push-jobs.ts";
import type { SendCounts } from "./sender.ts";

/** The line of `--json`. */
export interface DemoResult {
  readonly sent: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly unexplained: number;
  readonly seconds: number;
  readonly recordsPerSecond: number;
  readonly cpuSecondsPerMillion: number;
}

export interface Evidence {
  readonly counts: SendCounts;
  readonly mayBeRefused: boolean;
  readonly findings: Findings;
  readonly readings: Readings;
  readonly posts: PostCounts;
  readonly books: BooksAnswer;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export const resultOf = (evidence: Evidence): DemoResult => {
  const { counts, findings } = evidence;
  // A record that was refused with an answer is not a lost one; the generator's are all good, so none may be refused.
  const excused = evidence.mayBeRefused ? counts.refused + counts.unconfigured : 0;
  return {
    sent: counts.sent,
    accepted: counts.accepted,
    delivered: findings.found,
    lost: Math.max(0, findings.missing - excused),
    duplicated: duplicates(findings, "objectStores"),
    unexplained: unexplainedRecords(evidence.books),
    seconds: round(evidence.seconds, 2),
    recordsPerSecond: Math.round(counts.sent / evidence.seconds),
    cpuSecondsPerMillion: round((evidence.cpuSeconds / counts.sent) * 1_000_000, 2),
  };
};

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

const duplicates = (findings: Findings, at: "objectStores" | "http"): number =>
  [...findings.duplicatedOf]
    .filter(([customer]) => (kindOf(customer) === "http") === (at === "http"))
    .reduce((sum, [, copies]) => sum + copies, 0);

/** Everything that is not as promised, one sentence each; empty when all is well. */
export const problemsOf = (evidence: Evidence): ReadonlyArray<string> => {
  const { books, findings, posts, readings } = evidence;
  const result = resultOf(evidence);
  const bookDelivered = books.totals.books.delivered.records;
  const pending = books.totals.books.pending.records;
  return [
    problem(result.lost, "records are lost"),
    problem(result.duplicated, "records are there twice in files or objects"),
    problem(duplicates(findings, "http"), "records came over HTTP under two Idempotency-Keys"),
    problem(result.unexplained, "records are unexplained in the books"),
    problem(findings.unknown, "lines are there that nobody sent"),
    problem(findings.corrupted, "records are there with other bytes than were sent"),
    problem(findings.misplaced, "records are at another customer's destination"),
    problem(findings.outOfOrder, "records stand after a later one of their customer"),
    problem(findings.customersDiffering, "customers have other bytes, all in all, than were sent"),
    problem(posts.conflicting, "HTTP requests brought other records under a key that was used before"),
    ...readings.unreadable.map((name) => `${name} is not whole gzip.`),
    problem(pending, "records are still pending"),
    bookDelivered === findings.found
      ? undefined
      : `The books say ${number(bookDelivered)} delivered; ${number(findings.found)} are there.`,
  ].filter((text) => text !== undefined);
};

const problem = (count: number, what: string): string | undefined =>
  count === 0 ? undefined : `${number(count)} ${what}.`;
