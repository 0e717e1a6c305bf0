import { Effect, Layer } from "effect";
import {
  InvalidTransaction,
  JobTransactions,
  TransactionConflict,
  type TransactionAnswer,
  type TransactionNote,
} from "../../src/api/job-transactions-port.ts";
import type {
  ApiUnavailable,
  ExpectedRevision,
  InvalidJob,
  JobConflict,
  ShownJob,
  WrittenJob,
} from "../../src/api/ports.ts";
import type { EditedJob } from "../../src/domain/job-transaction.ts";

/** The jobs of a scripted node. */
interface FakeJobs {
  readonly jobs: Map<string, ShownJob>;
  revision: number;
  readonly put: (
    id: string,
    input: unknown,
    expected: ExpectedRevision,
  ) => Effect.Effect<WrittenJob, JobConflict | InvalidJob>;
}

interface Change {
  readonly put?: { readonly id: string };
  readonly remove?: string;
  readonly ifRevision?: number;
}

/** All or nothing on the jobs of a scripted node. */
export const fakeTransactions = (node: FakeJobs) =>
  Layer.succeed(JobTransactions, {
    change: Effect.fnUntraced(function* (
      input: unknown,
      note: (about: TransactionNote) => Effect.Effect<void, ApiUnavailable>,
    ) {
      const {
        changes,
        dryRun = false,
        reason,
      } = input as {
        readonly changes: ReadonlyArray<Change>;
        readonly dryRun?: boolean;
        readonly reason?: string;
      };
      const put = changes.flatMap((change) => change.put?.id ?? []);
      if (!dryRun) yield* note({ put, remove: changes.flatMap(({ remove }) => remove ?? []), reason });
      const before = { jobs: [...node.jobs], revision: node.revision };
      const restore = Effect.sync(() => {
        node.jobs.clear();
        for (const [id, job] of before.jobs) node.jobs.set(id, job);
        node.revision = before.revision;
      });
      const answer = yield* Effect.forEach(changes, (change, index) => changeOne(node, change, index)).pipe(
        Effect.tapError(() => restore),
      );
      if (dryRun) yield* restore;
      return { changes: answer, dryRun } satisfies TransactionAnswer;
    }),
  });

const changeOne = Effect.fnUntraced(function* (
  node: FakeJobs,
  { ifRevision, put, remove = "" }: Change,
  index: number,
): Effect.fn.Return<EditedJob, InvalidTransaction | TransactionConflict> {
  if (put === undefined) {
    const revision = node.jobs.get(remove)?.revision;
    node.jobs.delete(remove);
    return { id: remove, change: revision === undefined ? "unchanged" : "removed", revision: revision ?? 0 };
  }
  const { change, revision } = yield* node.put(put.id, put, ifRevision === 0 ? "absent" : ifRevision).pipe(
    Effect.catchTags({
      InvalidJob: ({ problems }) =>
        Effect.fail(new InvalidTransaction({ problems: problems.map((each) => `changes[${index}].put.${each}`) })),
      JobConflict: (conflict) =>
        Effect.fail(
          new TransactionConflict({ problems: [`changes[${index}]: Job ${put.id} is at ${conflict.revision}.`] }),
        ),
    }),
  );
  return { id: put.id, change, revision };
});
