import { Context, type Effect, Schema } from "effect";

/** A record that a destination refused, kept with the reason. Identified by job, log, sequence and index. */
export interface DeadLetter {
  readonly job: string;
  readonly customer: string;
  readonly dataset: string;
  /** Of the LOG message that the record came in. */
  readonly sequence: number;
  /** 0-based, among this job's records of that message. */
  readonly index: number;
  /** The LOG's, so that a sequence of another log is another letter. */
  readonly incarnation: string;
  /** The destination's answer: closed set, and one line for people, without a credential. */
  readonly reason: string;
  readonly detail: string;
  readonly status: number | undefined;
  /** When it was refused, epoch millis. */
  readonly millis: number;
  /** Without its newline. */
  readonly record: Uint8Array;
}

/** A letter as the store holds it. */
export interface StoredLetter {
  readonly letter: DeadLetter;
  /** Names this very write: rises with every letter stored, and is never given again. */
  readonly position: number;
}

/** This job, this customer, or all together, have as many letters as they may: a person must look at the job. */
export class DeadLettersFull extends Schema.TaggedError<DeadLettersFull>()("DeadLettersFull", {
  /** Which bound: one line for people. */
  detail: Schema.String,
}) {}

/** The store does not answer, or a letter may have been stored or not: to be asked again. */
export class DeadLettersUnavailable extends Schema.TaggedError<DeadLettersUnavailable>()("DeadLettersUnavailable", {
  detail: Schema.String,
}) {}

/** Which letters: of a job, or of a customer, or all; in the order in which they were stored. */
export interface LetterQuery {
  readonly job?: string | undefined;
  /** Not regarded beside `job`. */
  readonly customer?: string | undefined;
  /** Only letters stored after this position. */
  readonly after: number;
  readonly limit: number;
}

export interface LetterPage {
  readonly letters: ReadonlyArray<StoredLetter>;
  /** The `after` of the next page; undefined at the end. */
  readonly next: number | undefined;
}

/** Where records go that no destination takes. Durable before the cursor passes them. */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** First write wins: the same letter again is a success that changes nothing, whatever the bounds say. */
    readonly put: (
      partition: number,
      letter: DeadLetter,
    ) => Effect.Effect<void, DeadLettersFull | DeadLettersUnavailable>;
    /** A page may hold fewer letters than asked for and yet have a next one: it is bounded in bytes as well. */
    readonly list: (query: LetterQuery) => Effect.Effect<LetterPage, DeadLettersUnavailable>;
    /** The letter of a record; of two logs with the same sequence, the one stored last. */
    readonly get: (
      job: string,
      sequence: number,
      index: number,
    ) => Effect.Effect<StoredLetter | undefined, DeadLettersUnavailable>;
    /** Answers whether it was there. */
    readonly remove: (position: number) => Effect.Effect<boolean, DeadLettersUnavailable>;
    /** Answers how many there were. */
    readonly removeAll: (job: string) => Effect.Effect<number, DeadLettersUnavailable>;
  }
>()("spillway/actors/ports/DeadLetters") {}
