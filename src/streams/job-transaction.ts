import { Effect, Result } from "effect";
import { randomBytes } from "node:crypto";
import {
  type EditedJob,
  editedId,
  type EditProblem,
  type JobEdit,
  transactionChangesMax,
} from "../domain/job-transaction.ts";
import { apiCodes, type StreamRefused } from "./atomic-batch.ts";
import { jobBytesMax, type JobEntry } from "./job-bucket.ts";
import { revisionsUpTo } from "./job-batch.ts";
import { JobStoreError, TransactionRefused } from "./job-store-error.ts";
import type { JobWriter } from "./job-writes.ts";
import type { NatsError } from "./nats.ts";
import { type CompleteJob, type FoundJob, type PlannedEdit, planTransaction, writesOf } from "./plan-transaction.ts";

export interface TransactionOptions {
  /** Asked for every job that is put, against what is stored at that moment. */
  readonly complete?: CompleteJob;
  /** Says what would change, and writes nothing. */
  readonly dryRun?: boolean;
  /** Stored with every message, such as who changed the jobs and why. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Somebody else may change the same jobs meanwhile; so often is the transaction tried on top of theirs. */
const attemptsMax = 5;
const readsInFlightMax = 32;
const pauseMillis = 20;

type Entries = ReadonlyMap<string, JobEntry | undefined>;

/** What was sent under the name of an attempt: without an answer, the store itself may say that it landed. */
type Sent = ReadonlyMap<string, ReadonlyArray<PlannedEdit>>;

/** See `JobStore.change`. */
export const changeJobs = Effect.fn("JobStore.change")(function* (
  writer: JobWriter,
  edits: ReadonlyArray<JobEdit>,
  options: TransactionOptions = {},
): Effect.fn.Return<ReadonlyArray<EditedJob>, JobStoreError | TransactionRefused> {
  yield* refuseTooMany(edits);
  const sent = new Map<string, ReadonlyArray<PlannedEdit>>();
  let before: Entries = new Map();
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const guesses = attempt === 1 && options.dryRun !== true;
    const entries = yield* readEntries(writer, edits, guesses);
    const landed = landedOf(sent, entries);
    if (landed !== undefined) return noteWritten(writer, landed.planned, landed.revisions);
    const foreseen = yield* Effect.result(plan(writer, edits, entries, options));
    if (Result.isFailure(foreseen)) {
      // A guess refuses nobody: another node may have stored the job a moment ago.
      if (guesses && entries.size < edits.length) continue;
      return yield* foreseen.failure;
    }
    const planned = foreseen.success;
    const writes = writesOf(planned, options.headers);
    if (options.dryRun === true || writes.length === 0) return planned.map(editedOf);
    const name = randomBytes(12).toString("hex");
    sent.set(name, planned);
    const outcome = yield* writer.bucket.writeAll(writes, name).pipe(
      Effect.catchTags({
        StreamRefused: (refused) => Effect.fail(refusalOf(refused)),
        // The next look at the store tells whether it landed; if it lands after that, its revisions refuse a repeat.
        StreamSilent: ({ detail }) => Effect.as(Effect.logDebug("No answer to a transaction.", { detail }), undefined),
      }),
    );
    if (outcome?._tag === "stored") return noteWritten(writer, planned, outcome.revisions);
    before = entries;
    yield* Effect.sleep(attempt * pauseMillis);
  }
  const after = yield* readEntries(writer, edits, false);
  const landed = landedOf(sent, after);
  if (landed !== undefined) return noteWritten(writer, landed.planned, landed.revisions);
  return yield* contended(before, after);
});

/** See `JobStore.check`. */
export const checkJobs = (
  writer: JobWriter,
  edits: ReadonlyArray<JobEdit>,
  options: TransactionOptions = {},
): Effect.Effect<ReadonlyArray<EditedJob>, TransactionRefused> => {
  const known = edits.map((edit): readonly [string, JobEntry | undefined] => {
    const stored = writer.view.get(editedId(edit));
    return [editedId(edit), stored === undefined ? undefined : { ...stored, removed: false }];
  });
  return Effect.map(plan(writer, edits, new Map(known), options), (planned) => planned.map(editedOf));
};

const refuseTooMany = (edits: ReadonlyArray<JobEdit>): Effect.Effect<void, TransactionRefused> => {
  const first = edits[transactionChangesMax];
  if (first === undefined) return Effect.void;
  const message =
    `A transaction has at most ${transactionChangesMax} changes, this one has ${edits.length}: ` +
    "split it, each part is then stored whole or not at all.";
  return refuse([{ index: transactionChangesMax, job: editedId(first), reason: "tooMany", path: [], message }]);
};

const refuse = (problems: ReadonlyArray<EditProblem>): Effect.Effect<never, TransactionRefused> =>
  Effect.fail(
    new TransactionRefused({
      problems,
      message: problems.map(({ index, message }) => `changes[${index}]: ${message}`).join("; "),
    }),
  );

/** @param guesses whether a job that nobody here has heard of is taken to be new: the write itself finds out */
const readEntries = Effect.fnUntraced(function* (
  { bucket, view }: JobWriter,
  edits: ReadonlyArray<JobEdit>,
  guesses: boolean,
): Effect.fn.Return<Entries, JobStoreError> {
  const isGuessed = (edit: JobEdit) =>
    guesses && "put" in edit && edit.ifRevision === undefined && view.get(edit.put.id) === undefined;
  const ids = [...new Set(edits.filter((edit) => !isGuessed(edit)).map(editedId))];
  const entries = yield* Effect.forEach(ids, (id) => Effect.map(bucket.read(id), (entry) => [id, entry] as const), {
    concurrency: readsInFlightMax,
  }).pipe(Effect.mapError((error: NatsError) => unavailable(error.detail)));
  return new Map(entries);
});

const plan = (
  { jobsMax, view }: JobWriter,
  edits: ReadonlyArray<JobEdit>,
  entries: Entries,
  { complete }: TransactionOptions,
): Effect.Effect<ReadonlyArray<PlannedEdit>, TransactionRefused> => {
  const found = (id: string): FoundJob => {
    const entry = entries.get(id);
    const isThere = entry !== undefined && !entry.removed;
    return { entry, current: entry?.job ?? (isThere ? view.get(id)?.job : undefined) };
  };
  const planned = planTransaction(edits, found, { complete, count: view.count(), jobsMax, jobBytesMax });
  return Result.isSuccess(planned) ? Effect.succeed(planned.success) : refuse(planned.failure);
};

/** Any message of an attempt says that all of it landed, and where. */
const landedOf = (sent: Sent, entries: ReadonlyMap<string, JobEntry | undefined>) => {
  for (const [name, planned] of sent) {
    const writes = writesOf(planned, undefined);
    for (const [at, { id }] of writes.entries()) {
      const entry = entries.get(id);
      if (entry?.transaction !== name) continue;
      return { planned, revisions: revisionsUpTo(entry.revision + writes.length - 1 - at, writes.length) };
    }
  }
  return undefined;
};

const noteWritten = (
  { view }: JobWriter,
  planned: ReadonlyArray<PlannedEdit>,
  revisions: ReadonlyArray<number>,
): ReadonlyArray<EditedJob> => {
  const revisionOf = new Map(writesOf(planned, undefined).map(({ id }, i) => [id, revisions[i]!]));
  return planned.map((edit) => {
    const revision = revisionOf.get(edit.id);
    if (revision === undefined) return editedOf(edit);
    view.wrote(edit.id, revision, edit.job);
    return { id: edit.id, change: edit.change, revision };
  });
};

const editedOf = ({ change, id, revision }: PlannedEdit): EditedJob => ({ id, change, revision });

const unavailable = (message: string) => new JobStoreError({ reason: "unavailable", message });

/** A server may be told to take smaller batches than the one thousand that it takes by itself. */
const refusalOf = ({ code, description }: StreamRefused): JobStoreError =>
  code === apiCodes.batchTooLarge
    ? new JobStoreError({
        reason: "tooMany",
        message: `Nothing was stored: this nats-server takes smaller transactions only (${description}). Split it.`,
      })
    : unavailable(`Nothing was stored: the transaction was refused: ${description}.`);

/** Says which jobs they are. */
const contended = (before: Entries, after: Entries): JobStoreError => {
  const changed = [...after].flatMap(([id, entry]) => (entry?.revision === before.get(id)?.revision ? [] : [id]));
  return changed.length === 0
    ? unavailable("Nothing was stored so far: the transaction got no answer. The same once more does no harm.")
    : new JobStoreError({
        reason: "contended",
        message: `Nothing was stored: others change ${changed.slice(0, 10).join(", ")} all the time.`,
      });
};
