import { Context, type Effect, Schema } from "effect";
import type { ApiUnavailable } from "./ports.ts";

/** A dead letter as an answer shows it, without its record: plain JSON. */
export const LetterSummary = Schema.Struct({
  job: Schema.String,
  customer: Schema.String,
  dataset: Schema.String,
  /** Of the log message that the record came in, and its 0-based place among the job's records of that message. */
  sequence: Schema.Int,
  index: Schema.Int,
  /** Of the log: a sequence of another log is another record. */
  incarnation: Schema.String,
  /** The destination's answer. */
  reason: Schema.String,
  detail: Schema.String,
  status: Schema.NullOr(Schema.Int),
  /** When it was refused, epoch millis. */
  millis: Schema.Finite,
  /** Of the record, without its newline. */
  bytes: Schema.Int,
});
export type LetterSummary = typeof LetterSummary.Type;

export const ShownLetter = Schema.Struct({ ...LetterSummary.fields, record: Schema.String });
export type ShownLetter = typeof ShownLetter.Type;

export const LetterPageReport = Schema.Struct({
  letters: Schema.Array(LetterSummary),
  /** The `after` of the next page; absent on the last one. */
  next: Schema.optionalKey(Schema.Int),
});
export type LetterPageReport = typeof LetterPageReport.Type;

/** What became of one letter that was pushed again. `kept`: the destination refused it, `detail` says why. */
export const LetterReplay = Schema.Struct({
  job: Schema.String,
  sequence: Schema.Int,
  index: Schema.Int,
  result: Schema.Literals(["delivered", "kept"]),
  detail: Schema.String,
});
export type LetterReplay = typeof LetterReplay.Type;

/** Some of a job's letters pushed again. */
export const LettersReplay = Schema.Struct({
  replays: Schema.Array(LetterReplay),
  /** Why it went no further: the destination does not take anything now. Absent when it got to the end of the page. */
  stopped: Schema.optionalKey(Schema.String),
  /** The `after` with which to go on; absent when there are no more. */
  next: Schema.optionalKey(Schema.Int),
});
export type LettersReplay = typeof LettersReplay.Type;

export class LetterNotFound extends Schema.TaggedError<LetterNotFound>()("LetterNotFound", {
  /** For people: which letter, or which job, is not there. */
  detail: Schema.String,
}) {}

export interface LetterId {
  readonly job: string;
  readonly sequence: number;
  readonly index: number;
}

/** Dead letters as the API serves them. */
export class DeadLettersAdmin extends Context.Service<
  DeadLettersAdmin,
  {
    readonly list: (query: {
      readonly job?: string | undefined;
      readonly customer?: string | undefined;
      readonly after?: number | undefined;
      readonly limit?: number | undefined;
    }) => Effect.Effect<LetterPageReport, ApiUnavailable>;
    readonly get: (id: LetterId) => Effect.Effect<ShownLetter, LetterNotFound | ApiUnavailable>;
    readonly drop: (id: LetterId) => Effect.Effect<void, LetterNotFound | ApiUnavailable>;
    /** All letters of a job; answers how many there were. */
    readonly dropAll: (job: string) => Effect.Effect<number, ApiUnavailable>;
    /** Pushes the record to the job's destination as it is now, and removes the letter when that takes it. */
    readonly replay: (id: LetterId) => Effect.Effect<LetterReplay, LetterNotFound | ApiUnavailable>;
    /** The same, one after the other, for a page of a job's letters; stops when the destination takes nothing. */
    readonly replayAll: (
      job: string,
      after: number | undefined,
    ) => Effect.Effect<LettersReplay, LetterNotFound | ApiUnavailable>;
  }
>()("spillway/api/DeadLettersAdmin") {}
