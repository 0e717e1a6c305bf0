import { Context, type Effect, Schema } from "effect";
import type { EditedJob } from "../domain/job-transaction.ts";
import type { ApiUnavailable } from "./ports.ts";

/** Nothing was stored: the transaction itself is at fault. */
export class InvalidTransaction extends Schema.TaggedError<InvalidTransaction>()("InvalidTransaction", {
  /** One line each, with the index of the change. */
  problems: Schema.Array(Schema.String),
}) {}

/** Nothing was stored: jobs are at other revisions than expected, or others change them all the time. */
export class TransactionConflict extends Schema.TaggedError<TransactionConflict>()("TransactionConflict", {
  problems: Schema.Array(Schema.String),
}) {}

/** What a transaction is about to do. */
export interface TransactionNote {
  readonly put: ReadonlyArray<string>;
  readonly remove: ReadonlyArray<string>;
  readonly reason: string | undefined;
}

export interface TransactionAnswer {
  /** In the order of the changes asked for. */
  readonly changes: ReadonlyArray<EditedJob>;
  /** Nothing was written: this is what would be. */
  readonly dryRun: boolean;
}

/** Changes of many push jobs as one. */
export class JobTransactions extends Context.Service<
  JobTransactions,
  {
    /**
     * All of it or nothing. Completes once this node serves it, or after 2 s.
     *
     * @param input decoded JSON as it came
     * @param note run before anything is written (not in a dry run): when it fails, nothing is
     */
    readonly change: (
      input: unknown,
      note: (about: TransactionNote) => Effect.Effect<void, ApiUnavailable>,
    ) => Effect.Effect<TransactionAnswer, InvalidTransaction | TransactionConflict | ApiUnavailable>;
  }
>()("spillway/api/JobTransactions") {}
