import { relative } from "node:path";
import type { BooksAnswer } from "./books.ts";
import { number } from "./progress.ts";
import { type DestinationKind, destinationKinds, kindOf } from "./push-jobs.ts";
import { type Evidence, problemsOf, resultOf } from "./receipt.ts";
import type { Workspace } from "./workspace.ts";

/** What the check found, for people. */
export const checkReport = (evidence: Evidence): string => {
  const result = resultOf(evidence);
  const problems = problemsOf(evidence);
  const { counts, findings, posts, readings } = evidence;
  return [
    "",
    `Checked ${number(findings.found)} records in ${number(readings.batches)} batches, read back from where they were delivered:`,
    `  lost ${number(result.lost)}, duplicated ${number(result.duplicated)}, corrupted ${number(findings.corrupted)}, out of order ${number(findings.outOfOrder)}`,
    ...(counts.refused + counts.unconfigured === 0
      ? []
      : [
          `  refused at the door with a reason: ${number(counts.refused)}; without a push job: ${number(counts.unconfigured)}`,
        ]),
    ...(counts.repeated === 0 ? [] : [`  requests that had to be sent again: ${number(counts.repeated)}`]),
    ...(posts.repeated === 0 ? [] : [`  HTTP batches that came again under their id: ${number(posts.repeated)}`]),
    ...problems.map((text) => `  NOT AS PROMISED: ${text}`),
    "",
    `${number(result.sent)} records in ${result.seconds} s from the first byte to the last delivery: ${number(result.recordsPerSecond)} a second,`,
    `${result.cpuSecondsPerMillion} CPU-seconds per million records, nats-server included.`,
  ].join("\n");
};

const accountsShown = ["accepted", "delivered", "filtered", "expired", "shed", "deadLettered", "pending"] as const;

/** The books by kind of destination; `spillway books` shows them per push job. */
export const booksTable = (books: BooksAnswer, kindOfCustomer: (name: string) => DestinationKind): string => {
  const rows = destinationKinds.map((kind) => {
    const jobs = books.jobs.filter(({ customer }) => kindOfCustomer(customer) === kind);
    const sum = (of: (job: BooksAnswer["jobs"][number]) => number) => jobs.reduce((total, job) => total + of(job), 0);
    return [
      kind,
      number(jobs.length),
      ...accountsShown.map((account) => number(sum((job) => job.books[account]?.records ?? 0))),
      number(sum((job) => Math.abs(job.unexplained.records))),
    ];
  });
  return ["", "The books, in records:", ...table([["kind", "jobs", ...accountsShown, "unexplained"], ...rows])].join(
    "\n",
  );
};

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(
    (row) =>
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ")}`,
  );
};

export const kindOfCustomerName = (name: string): DestinationKind =>
  kindOf(Number(name.slice(name.lastIndexOf("-") + 1)));

/** What a newcomer could do now. */
export const nextSteps = ({ directory, stays }: Workspace): string => {
  const place = shellPath(directory);
  return [
    "",
    "Try next:",
    "  Kill it in the middle. Spillway is killed (kill -9) three times on the way and started again:",
    "    npm run demo -- --records 500000 --kill 3",
    "  Or with your own hands, in two terminals, as often as you like:",
    "    npm run demo -- --records 3000000 --out /tmp/flood",
    "    kill -9 $(cat /tmp/flood/spillway.pid)",
    ...(stays
      ? [
          `  Everything is still in ${place}. Start it again on its data, and look at its books:`,
          `    npx spillway dev --data ${place}/data`,
          "    npx spillway books --audit",
          `    ls ${place}/files ${place}/posts ${place}/objects`,
        ]
      : ["  Keep everything and look around:", "    npm run demo -- --keep"]),
    "  Send records of your own:",
    "    npm run demo -- --file YOUR.ndjson",
  ].join("\n");
};

const shellPath = (path: string): string => {
  const near = relative(process.cwd(), path);
  const shown = near.startsWith("..") || near === "" ? path : near;
  return /^[\w./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", `'\\''`)}'`;
};
