import { Effect, Result } from "effect";
import { ChangedBy } from "../actors/ports/changed-by.ts";
import { InvalidTransaction, JobTransactions, TransactionConflict } from "../api/job-transactions-port.ts";
import { ApiUnavailable } from "../api/ports.ts";
import { decodeTransaction } from "../control/decode-transaction.ts";
import { type Problem, problemText } from "../control/problem.ts";
import { editedId, type EditProblem, type JobEdit } from "../domain/job-transaction.ts";
import { JobStore } from "../streams/job-store.ts";
import type { JobStoreError, TransactionRefused } from "../streams/job-store-error.ts";
import { completeJob } from "./complete-job.ts";

/** Transactions for the API: checked on the way in, live when the answer comes. Answers show no settings at all. */
export const makeJobTransactions = Effect.fnUntraced(function* (options: {
  readonly allowPrivateDestinations: boolean;
}) {
  const store = yield* JobStore;

  const complete = completeJob(options);

  /** What is wrong with those changes that could be read, beside what could not. */
  const faultsOf = (read: ReadonlyArray<readonly [index: number, edit: JobEdit]>) =>
    store
      .change(
        read.map(([, edit]) => edit),
        { complete, dryRun: true },
      )
      .pipe(
        Effect.as<ReadonlyArray<Problem>>([]),
        Effect.catchTags({
          TransactionRefused: ({ problems }) =>
            Effect.succeed(problems.map((problem) => toProblem({ ...problem, index: read[problem.index]![0] }))),
          JobStoreError: (error) => Effect.fail(failureOf(error)),
        }),
      );

  return JobTransactions.of({
    change: Effect.fnUntraced(function* (input, note) {
      const asked = decodeTransaction(input);
      if (Result.isFailure(asked)) {
        const { problems, read } = asked.failure;
        const more = read.length === 0 ? [] : yield* faultsOf(read);
        return yield* new InvalidTransaction({ problems: inOrder([...problems, ...more]).map(problemText) });
      }
      const { dryRun, edits, reason } = asked.success;
      if (dryRun) {
        const changes = yield* store.change(edits, { complete, dryRun }).pipe(Effect.catchTags(refusals));
        return { changes, dryRun };
      }
      yield* note({
        put: edits.filter((edit) => "put" in edit).map(editedId),
        remove: edits.filter((edit) => "remove" in edit).map(editedId),
        reason,
      });
      const changes = yield* store.change(edits, { complete }).pipe(
        Effect.updateService(ChangedBy, ({ who, why }) => ({ who, why: reason ?? why })),
        Effect.catchTags(refusals),
      );
      const written = changes.filter(({ change }) => change !== "unchanged").map(({ revision }) => revision);
      // Live on this node before the answer, so that what is sent next finds its buffers. When late, it is stored.
      if (written.length > 0) yield* Effect.ignore(store.awaitServed(Math.max(...written)));
      return { changes, dryRun };
    }),
  });
});

const refusalOf = ({ problems }: TransactionRefused): InvalidTransaction | TransactionConflict => {
  const texts = problems.map(toProblem).map(problemText);
  // Who has to read again anyway is told of everything else at once.
  return problems.every(({ reason }) => reason === "revision")
    ? new TransactionConflict({ problems: texts })
    : new InvalidTransaction({ problems: texts });
};

const failureOf = ({ message, reason }: JobStoreError): InvalidTransaction | TransactionConflict | ApiUnavailable => {
  if (reason === "contended") return new TransactionConflict({ problems: [message] });
  return reason === "tooMany" || reason === "tooLarge"
    ? new InvalidTransaction({ problems: [message] })
    : new ApiUnavailable({ detail: message });
};

const refusals = {
  TransactionRefused: (error: TransactionRefused) => Effect.fail(refusalOf(error)),
  JobStoreError: (error: JobStoreError) => Effect.fail(failureOf(error)),
};

/** What a person wrote is at `changes[3].put`; what concerns the change as such, at `changes[3]`. */
const toProblem = ({ index, message, path }: Pick<EditProblem, "index" | "message" | "path">): Problem => ({
  path: path.length === 0 ? ["changes", index] : ["changes", index, "put", ...path],
  message,
});

const inOrder = (problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> =>
  problems.toSorted((a, b) => Number(a.path[1] ?? 0) - Number(b.path[1] ?? 0));
