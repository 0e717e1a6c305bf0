import { Schema } from "effect";

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
