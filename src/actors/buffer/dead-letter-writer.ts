import { Clock, Context, Effect, Layer, Random, Result, Schema } from "effect";
import { gunzipSync } from "node:zlib";
import type { Tally } from "../../domain/books.ts";
import { pairKey } from "../../domain/partition.ts";
import type { DeadLetterInput } from "../../domain/push-attempt.ts";
import { retryDelayMillis } from "../../domain/retry-policy.ts";
import { DeadLetters, type DeadLettersFull } from "../ports/dead-letters.ts";
import { type Chunk, Log, LogUnavailable } from "../ports/log.ts";
import { recordAt } from "./slice-records.ts";

/** What a dead letter is taken from. */
export interface LetterSource extends DeadLetterInput {
  readonly customer: string;
  readonly dataset: string;
  readonly partition: number;
  /** The LOG's. */
  readonly incarnation: string;
  /** Whether the message repeats an earlier one: its records are not in the batch. */
  readonly isDuplicate: (sequence: number) => boolean;
}

/** The log does not hold the record any more, or not readably: there is nothing that could be kept. */
export class RecordGone extends Schema.TaggedError<RecordGone>()("RecordGone", { detail: Schema.String }) {}

export interface DeadLetterWriterOptions {
  readonly readBytesMax: number;
}

/** Waits between attempts while log or store do not answer. */
const patience = { baseMillis: 250, maxMillis: 30_000 };

/**
 * Makes a dead letter of one record of a batch. The bytes are read from the log again, not taken from the batch: the
 * letter is known by the sequence that the record came in, and that survives any other cut of batches.
 */
export class DeadLetterWriter extends Context.Service<
  DeadLetterWriter,
  {
    /**
     * Completes once the letter is durable. The same record again is a success that changes nothing, so a crash before
     * the cursor has passed it is harmless. Waits for log and store as long as it is not interrupted.
     *
     * @returns what leaves the backlog with it: one record, its newline included in the bytes
     */
    readonly write: (source: LetterSource) => Effect.Effect<Tally, DeadLettersFull | RecordGone>;
  }
>()("spillway/actors/buffer/DeadLetterWriter") {
  static readonly layer = (options: DeadLetterWriterOptions): Layer.Layer<DeadLetterWriter, never, Log | DeadLetters> =>
    Layer.effect(
      DeadLetterWriter,
      Effect.gen(function* () {
        const context = yield* Effect.context<Log | DeadLetters>();
        return DeadLetterWriter.of({
          write: (source) => patiently(source, writeOnce(source, options)).pipe(Effect.provideContext(context)),
        });
      }),
    );
}

type Unavailable = { readonly _tag: "LogUnavailable" | "DeadLettersUnavailable"; readonly detail: string };

/** Again and again while something does not answer; every other failure is the caller's. */
const patiently = Effect.fnUntraced(function* <A, E, R>(
  { index, job }: LetterSource,
  attempt: Effect.Effect<A, E | Unavailable, R>,
): Effect.fn.Return<A, Exclude<E, Unavailable>, R> {
  for (let number = 1; ; number++) {
    const result = yield* Effect.result(attempt);
    if (Result.isSuccess(result)) return result.success;
    const { failure } = result;
    if (!isUnavailable(failure)) return yield* Effect.fail(failure as Exclude<E, Unavailable>);
    const delayMillis = retryDelayMillis(patience, number, yield* Random.next, patience.baseMillis);
    const { detail } = failure;
    yield* Effect.logWarning("A dead letter is not stored yet; it is tried again.", {
      job,
      index,
      attempt: number,
      delayMillis,
      detail,
    });
    yield* Effect.sleep(delayMillis);
  }
});

const isUnavailable = (error: unknown): error is Unavailable =>
  ["LogUnavailable", "DeadLettersUnavailable"].includes((error as Unavailable)._tag);

const writeOnce = Effect.fnUntraced(function* (source: LetterSource, options: DeadLetterWriterOptions) {
  const letters = yield* DeadLetters;
  const { chunk, index, sequence } = yield* locate(source, options);
  const record = yield* recordOf(chunk, index);
  const { customer, dataset, incarnation, job, partition, refusal } = source;
  const { detail, reason } = refusal;
  const status = refusal.status ?? undefined;
  const millis = yield* Clock.currentTimeMillis;
  const letter = { job, customer, dataset, sequence, index, incarnation, reason, detail, status, millis, record };
  yield* letters.put(partition, letter);
  return { records: 1, bytes: record.length + 1 } satisfies Tally;
});

/** Where a record of a batch is in the log. */
interface LocatedRecord {
  readonly sequence: number;
  readonly chunk: Chunk;
  /** 0-based, in the chunk: a message has at most one of a pair. */
  readonly index: number;
}

/** Reads the batch's range of the log up to the message that holds the record: the chunk, and the index in it. */
const locate = Effect.fnUntraced(function* (
  { batch, customer, dataset, index, isDuplicate, partition }: LetterSource,
  { readBytesMax }: DeadLetterWriterOptions,
): Effect.fn.Return<LocatedRecord, LogUnavailable | RecordGone, Log> {
  const log = yield* Log;
  const key = pairKey(customer, dataset);
  let before = 0;
  for (let next = batch.first; next <= batch.last;) {
    const messages = yield* log.read(partition, next, readBytesMax);
    // A jump means that what was cut into the batch is gone: from here on the counts would name another record.
    for (const { chunks, sequence } of messages) {
      if (sequence !== next) return yield* gone(`the log has no message ${next} any more`);
      next += 1;
      if (sequence > batch.last) break;
      if (isDuplicate(sequence)) continue;
      for (const chunk of chunks) {
        if (chunk.pairKey !== key) continue;
        if (index < before + chunk.records) return { sequence, index: index - before, chunk };
        before += chunk.records;
      }
    }
    if (messages.length === 0) return yield* refuseToGuess(partition, next);
  }
  return yield* gone(`the batch has ${before} records in the log, and record ${index} was asked for`);
});

/** Nothing at or after a message that was there: only the leader knows whether it is gone or a replica lags. */
const refuseToGuess = Effect.fnUntraced(function* (partition: number, sequence: number) {
  const log = yield* Log;
  const { firstSequence, lastSequence } = yield* log.describe(partition);
  if (firstSequence <= sequence && sequence <= lastSequence) {
    return yield* new LogUnavailable({ operation: "read", detail: `a replica does not know message ${sequence} yet` });
  }
  return yield* gone(`the log has no message ${sequence} any more`);
});

const gone = (detail: string) => new RecordGone({ detail });

const recordOf = ({ data, encoding, from, to }: Chunk, index: number): Effect.Effect<Buffer, RecordGone> =>
  Effect.try({
    try: () => recordAt(encoding === "gzip" ? gunzipSync(data.subarray(from, to)) : data.subarray(from, to), index),
    catch: () => gone("its chunk does not inflate"),
  }).pipe(
    Effect.flatMap((record) =>
      record === undefined
        ? Effect.fail(gone("its chunk has fewer records than its header says"))
        : // Copied: a record of a few bytes must not keep the whole message in memory while it waits.
          Effect.succeed(Buffer.from(record)),
    ),
  );
