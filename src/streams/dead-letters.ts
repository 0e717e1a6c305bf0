import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { Effect, Layer } from "effect";
import {
  type DeadLetter,
  DeadLetters,
  DeadLettersFull,
  DeadLettersUnavailable,
  type LetterQuery,
  type StoredLetter,
} from "../actors/ports/dead-letters.ts";
import { apiCodes, storeAtomically } from "./atomic-batch.ts";
import { decodeLetter, encodeLetter } from "./dead-letter-codec.ts";
import { type CustomerLetters, LetterCounts } from "./dead-letter-counts.ts";
import { directGet, type StoredMessage } from "./direct-get.ts";
import { attempt, Nats } from "./nats.ts";
import { deadOfCustomer, deadOfJob, deadOfRecord, deadStream, deadSubject, deadSubjects } from "./subjects.ts";

export interface DeadLettersOptions {
  readonly deadLettersPerJobMax: number;
  readonly deadLetterBytesMax: number;
  /** One customer's share of `deadLetterBytesMax`. */
  readonly deadLetterCustomerPercentMax: number;
  readonly messageBytesMax: number;
  readonly readMessagesMax: number;
  readonly timeoutMillis: number;
}

/** JetStream's `err_code` for a stream or subject that takes no more. */
const limitReached = 10_077;

interface Store {
  readonly nats: Nats["Service"];
  readonly manager: JetStreamManager;
  readonly counts: LetterCounts;
  readonly options: DeadLettersOptions;
}

/** The stream `DEAD`: one message per letter, first write wins, a full stream refuses. */
export const layerDeadLetters = (options: DeadLettersOptions): Layer.Layer<DeadLetters, never, Nats> =>
  Layer.effect(
    DeadLetters,
    Effect.gen(function* () {
      const nats = yield* Nats;
      // Not asked whether JetStream is there: a node may start while no leader is.
      const manager = yield* attempt("manage", () =>
        jetstreamManager(nats.control, { checkAPI: false, timeout: options.timeoutMillis }),
      ).pipe(Effect.orDie);
      const counts = new LetterCounts((customer, after) => scan(store, deadOfCustomer(customer), after));
      const store: Store = { nats, manager, counts, options };
      return DeadLetters.of({
        put: (partition, letter) => counts.within(letter.customer, (counted) => put(store, counted, partition, letter)),
        list: (query) => list(store, query),
        get: (job, sequence, index) => get(store, deadOfRecord(job, sequence, index)),
        remove: (position) => remove(store, position),
        removeAll: (job) => removeAll(store, job),
      });
    }),
  );

const unavailable = ({ detail }: { readonly detail: string }) => new DeadLettersUnavailable({ detail });

const put = Effect.fnUntraced(function* (
  store: Store,
  counted: CustomerLetters,
  partition: number,
  letter: DeadLetter,
): Effect.fn.Return<void, DeadLettersFull | DeadLettersUnavailable> {
  const subject = deadSubject(partition, letter);
  const data = encodeLetter(letter);
  const refused = yield* overQuota(store, counted, letter, data.length);
  if (refused !== undefined) {
    if (yield* exists(store, subject)) return;
    return yield* refused;
  }
  const stored = yield* storeAtomically(store.nats.publish, [{ subject, data }], {
    batchId: "",
    timeoutMillis: store.options.timeoutMillis,
    guard: { subject, lastSequence: 0 },
  }).pipe(
    Effect.as("stored" as const),
    Effect.catchTags({
      StreamSilent: ({ detail }) => {
        // It may have landed: what is counted is not known any more.
        counted.forget();
        return Effect.fail(new DeadLettersUnavailable({ detail }));
      },
      StreamRefused: ({ code, description }) => {
        if (code === apiCodes.wrongLastSequence) return Effect.succeed("there already" as const);
        return code === limitReached
          ? Effect.succeed("full" as const)
          : Effect.fail(new DeadLettersUnavailable({ detail: description }));
      },
    }),
  );
  if (stored === "stored") counted.add(letter.job, data.length);
  // The server says "full" of a subject that is taken, too.
  if (stored !== "full" || (yield* exists(store, subject))) return;
  return yield* new DeadLettersFull({
    detail: `all dead letters together have reached deadLetterBytesMax (${store.options.deadLetterBytesMax} bytes)`,
  });
});

/** Whether one more letter is too many; counted anew before it says so, for letters are dropped and expire. */
const overQuota = Effect.fnUntraced(function* (
  { options }: Store,
  counted: CustomerLetters,
  { customer, job }: DeadLetter,
  bytes: number,
): Effect.fn.Return<DeadLettersFull | undefined, DeadLettersUnavailable> {
  const share = Math.floor((options.deadLetterBytesMax * options.deadLetterCustomerPercentMax) / 100);
  const verdict = () => {
    if (counted.lettersOf(job) >= options.deadLettersPerJobMax) {
      return `job ${job} has ${counted.lettersOf(job)} dead letters (deadLettersPerJobMax)`;
    }
    return counted.bytes() + bytes > share
      ? `customer ${customer} has ${counted.bytes()} bytes of dead letters (deadLetterCustomerPercentMax)`
      : undefined;
  };
  yield* counted.known;
  if (verdict() === undefined) return undefined;
  yield* counted.countAnew;
  const detail = verdict();
  return detail === undefined ? undefined : new DeadLettersFull({ detail });
});

/** Asked of the leader: a replica that lags would make a full store of a letter that is there. */
const exists = ({ manager }: Store, subject: string): Effect.Effect<boolean, DeadLettersUnavailable> =>
  attempt("read", () => manager.streams.getMessage(deadStream, { last_by_subj: subject })).pipe(
    Effect.map((found) => found !== null),
    Effect.mapError(unavailable),
  );

/** Bytes of letters in one answer. */
const pageBytesMax = 4_194_304;

const read = (
  { nats, options }: Store,
  subject: string,
  after: number,
  messagesMax: number,
): Effect.Effect<ReadonlyArray<StoredMessage>, DeadLettersUnavailable> =>
  directGet(nats.read, {
    stream: deadStream,
    sequence: after + 1,
    subject,
    messagesMax,
    bytesMax: Math.max(pageBytesMax, options.messageBytesMax),
    timeoutMillis: options.timeoutMillis,
  }).pipe(Effect.mapError(unavailable));

/** The next messages of a subject; empty at the end. */
const scan = (store: Store, subject: string, after: number) =>
  read(store, subject, after, store.options.readMessagesMax);

const list = Effect.fnUntraced(function* (store: Store, { after, customer, job, limit }: LetterQuery) {
  const subject = job !== undefined ? deadOfJob(job) : customer !== undefined ? deadOfCustomer(customer) : deadSubjects;
  // One more than asked for tells whether there is a next page; a page that was cut in bytes may have one.
  const found = yield* read(store, subject, after, limit + 1);
  const page = found.slice(0, limit);
  const bytes = found.reduce((sum, { data }) => sum + data.length, 0);
  const more = found.length > limit || bytes > pageBytesMax / 2;
  return { letters: yield* decodeAll(page), next: more ? page.at(-1)?.sequence : undefined };
});

const get = Effect.fnUntraced(function* (store: Store, subject: string) {
  const letters = yield* decodeAll(yield* scan(store, subject, 0));
  return letters.at(-1);
});

const decodeAll = Effect.fnUntraced(function* (messages: ReadonlyArray<StoredMessage>) {
  const letters: Array<StoredLetter> = [];
  for (const { data, sequence, subject } of messages) {
    const letter = decodeLetter(data);
    if (letter !== undefined) letters.push({ letter, position: sequence });
    else yield* Effect.logError("A dead letter does not decode.", { subject, sequence });
  }
  return letters;
});

/** What the server answers when there is no such message. */
const absentTexts = ["no message found", "not found"];

const remove = (store: Store, position: number): Effect.Effect<boolean, DeadLettersUnavailable> =>
  attempt("manage", () => store.manager.streams.deleteMessage(deadStream, position)).pipe(
    Effect.catchIf(
      ({ detail }) => absentTexts.some((text) => detail.includes(text)),
      () => Effect.succeed(false),
    ),
    Effect.mapError(unavailable),
    // Whose it was is not known here, and the next letter of anybody finds out what is left.
    Effect.tap(() => Effect.sync(() => store.counts.forget())),
  );

const removeAll = (store: Store, job: string): Effect.Effect<number, DeadLettersUnavailable> =>
  attempt("manage", () => store.manager.streams.purge(deadStream, { filter: deadOfJob(job) })).pipe(
    Effect.map(({ purged }) => purged),
    Effect.mapError(unavailable),
    Effect.tap(() => Effect.sync(() => store.counts.forget())),
  );
