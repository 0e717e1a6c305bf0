import { Schema } from "effect";
import { Packr, unpack } from "msgpackr";
import type { DeadLetter } from "../actors/ports/dead-letters.ts";

const DeadLetterSchema = Schema.Struct({
  job: Schema.String,
  customer: Schema.String,
  dataset: Schema.String,
  sequence: Schema.Int,
  index: Schema.Int,
  incarnation: Schema.String,
  reason: Schema.String,
  detail: Schema.String,
  status: Schema.UndefinedOr(Schema.Int),
  millis: Schema.Finite,
  record: Schema.Uint8Array,
});

const packr = new Packr({ useRecords: false });

export const encodeLetter = (letter: DeadLetter): Uint8Array => packr.pack(letter);

/** undefined: not ours, or damaged. One bad letter must not hide the others. */
export const decodeLetter = (data: Uint8Array): DeadLetter | undefined => {
  let value: unknown;
  try {
    value = unpack(data);
  } catch {
    return undefined;
  }
  return Schema.is(DeadLetterSchema)(value) ? value : undefined;
};
