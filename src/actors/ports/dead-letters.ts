import { Context, type Effect, Schema } from "effect";

/** A record that a destination refused, kept with the reason. Identified by job, sequence and index. */
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

/** This job, or all jobs together, have as many letters as they may: the job must be looked at by a person. */
export class DeadLettersFull extends Schema.TaggedError<DeadLettersFull>()("DeadLettersFull", {
  detail: Schema.String,
}) {}

export class DeadLettersUnavailable extends Schema.TaggedError<DeadLettersUnavailable>()("DeadLettersUnavailable", {
  detail: Schema.String,
}) {}

/** Where records go that no destination takes. Durable before the cursor passes them. */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** First write wins: the same letter again is a success that changes nothing. */
    readonly put: (
      partition: number,
      letter: DeadLetter,
    ) => Effect.Effect<void, DeadLettersFull | DeadLettersUnavailable>;
  }
>()("spillway/actors/ports/DeadLetters") {}
