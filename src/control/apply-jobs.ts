import { Effect } from "effect";
import { type EditedJob, transactionChangesMax } from "../domain/job-transaction.ts";
import type { PushJob } from "../domain/push-job.ts";
import { JobStore } from "../streams/job-store.ts";
import type { JobStoreError, TransactionRefused } from "../streams/job-store-error.ts";
import type { CompleteJob } from "../streams/plan-transaction.ts";
import { type JobsFile, type JobsFileError, readJobsFile } from "./jobs-file.ts";

/** What applying a jobs file did. */
export interface AppliedJobs {
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Stored jobs that the file does not name. They stay: absence is never deletion. */
  readonly notInFile: number;
  /** The highest revision written, for `JobStore.awaitServed`; 0 when nothing was. */
  readonly revision: number;
  /** How many it took; each of them was all or nothing. */
  readonly transactions: number;
}

interface Differing {
  /** In the file. */
  readonly index: number;
  readonly put: PushJob;
}

/**
 * Stores the jobs of a file that differ from what is stored. Nothing is written unless all of them can be: a job of
 * another customer or dataset than the stored one of that id, or one that `complete` finds fault with, is an error.
 *
 * Up to 1,000 that differ are one transaction. More are several, for a node must be able to begin with a hundred
 * thousand jobs: all are checked before the first is sent, and what a crash leaves out, the next start stores.
 */
export const applyJobsFile = Effect.fn("control.applyJobsFile")(function* (
  path: string,
  complete: CompleteJob,
): Effect.fn.Return<AppliedJobs, JobsFileError | JobStoreError, JobStore> {
  const store = yield* JobStore;
  const file = yield* readJobsFile(path);
  const options = { complete };
  // By what this node knows: a file that changes nothing must not cost a request for each of its jobs.
  const foreseen = yield* store
    .check(
      file.jobs.map((put) => ({ put })),
      options,
    )
    .pipe(Effect.catchTag("TransactionRefused", (refused) => Effect.fail(faultsOf(file, refused))));
  const differing = file.jobs
    .map((put, index): Differing => ({ put, index }))
    .filter(({ index }) => foreseen[index]?.change !== "unchanged");
  const written: Array<EditedJob> = [];
  let transactions = 0;
  for (let at = 0; at < differing.length; at += transactionChangesMax) {
    const part = differing.slice(at, at + transactionChangesMax);
    const done = yield* store.change(part, options).pipe(
      Effect.tapError(() => (at === 0 ? Effect.void : sayHowFar(path, at, differing.length))),
      Effect.catchTag("TransactionRefused", (refused) =>
        Effect.fail(faultsOf(file, refused, (index) => part[index]!.index)),
      ),
    );
    for (const edited of done) written.push(edited);
    transactions += 1;
  }
  const count = (what: EditedJob["change"]) => written.filter(({ change }) => change === what).length;
  const [added, changed] = [count("created"), count("updated")];
  return {
    added,
    changed,
    unchanged: file.jobs.length - added - changed,
    notInFile: (yield* store.count) - file.jobs.length,
    revision: written.reduce(
      (top, { change, revision }) => (change === "unchanged" ? top : Math.max(top, revision)),
      0,
    ),
    transactions,
  };
});

const faultsOf = (
  file: JobsFile,
  { problems }: TransactionRefused,
  indexOf: (index: number) => number = (index) => index,
): JobsFileError => file.error(problems.map(({ index, message, path }) => [indexOf(index), { path, message }]));

const sayHowFar = (file: string, stored: number, of: number) =>
  Effect.logError("A jobs file is stored in part: start again, or mend it, and the rest is stored.", {
    file,
    stored,
    of,
  });
