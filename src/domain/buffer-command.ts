import { Schema } from "effect";

/** What a person tells a buffer, on its way to the owner and back: plain JSON. */

const Sequence = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0));

export const BufferCommand = Schema.Struct({
  job: Schema.String,
  command: Schema.Literals(["resume", "quarantine", "skip"]),
  /** Of a skip: everything that is there now, a time (JetStream's, epoch millis), or the sequence to go on at. */
  to: Schema.optionalKey(
    Schema.Union([
      Schema.Literal("now"),
      Schema.Struct({ millis: Schema.Finite }),
      Schema.Struct({ sequence: Sequence }),
    ]),
  ),
});
export type BufferCommand = typeof BufferCommand.Type;

/** What a command has done; its effect is durable with the partition's next checkpoint. */
export const CommandReport = Schema.Struct({
  job: Schema.String,
  /** The delivery state before the command and after it. */
  before: Schema.String,
  after: Schema.String,
  backlogRecords: Schema.Int,
  backlogBytes: Schema.Int,
  /** What a skip has passed; null when there was nothing to pass, and for the other commands. */
  skipped: Schema.NullOr(
    Schema.Struct({
      firstSequence: Sequence,
      lastSequence: Sequence,
      records: Schema.Int,
      bytes: Schema.Int,
      millis: Schema.Finite,
    }),
  ),
});
export type CommandReport = typeof CommandReport.Type;

/** What the owner of a partition answers. */
export const CommandAnswer = Schema.Union([
  Schema.TaggedStruct("Done", { report: CommandReport }),
  Schema.TaggedStruct("NotFound", {}),
  Schema.TaggedStruct("Refused", { code: Schema.Literals(["not_now", "cannot_skip", "busy"]), detail: Schema.String }),
  Schema.TaggedStruct("Unavailable", { detail: Schema.String }),
]);
export type CommandAnswer = typeof CommandAnswer.Type;
