import { Schema } from "effect";

/** The drill could not be carried out: it says nothing of the system under test. */
export class DrillFailure extends Schema.TaggedError<DrillFailure>()("DrillFailure", {
  /** For people: what is wrong and what to do. */
  message: Schema.String,
}) {}

export const drillFailure = (message: string) => new DrillFailure({ message });
