import { Schema } from "effect";
import { Packr, unpack } from "msgpackr";
import { type Receipt, receiptReasons, type Register, type Row } from "../actors/ports/checkpoints.ts";

/** Rows, registers and receipts as bytes: msgpack, checked by a Schema on the way back. */

const Sequence = Schema.Int;
const Tally = Schema.Struct({ records: Schema.Int, bytes: Schema.Int });

const RegisterSchema = Schema.Struct({
  owner: Schema.NullOr(Schema.String),
  epoch: Schema.Int,
  nonce: Schema.String,
  scan: Sequence,
  incarnation: Schema.String,
  snapshot: Schema.Int,
  writers: Schema.Record(Schema.String, Schema.Struct({ number: Schema.Int, records: Schema.Int, sequence: Sequence })),
  duplicates: Schema.Array(Sequence),
  lowWater: Sequence,
});

const RowSchema = Schema.Struct({
  job: Schema.String,
  pairKey: Schema.String,
  revision: Schema.Int,
  start: Sequence,
  cursor: Sequence,
  counted: Sequence,
  cuts: Schema.Array(Sequence),
  books: Schema.Struct({
    accepted: Tally,
    delivered: Tally,
    filtered: Tally,
    sampled: Tally,
    expired: Tally,
    shed: Tally,
    deadLettered: Tally,
    pending: Tally,
  }),
  snapshot: Schema.Unknown,
  deleted: Schema.Boolean,
  lastSuccessMillis: Schema.UndefinedOr(Schema.Number),
  lastErrorMillis: Schema.UndefinedOr(Schema.Number),
  lastError: Schema.UndefinedOr(Schema.String),
  evidence: Schema.optional(
    Schema.Struct({
      millis: Schema.Number,
      event: Schema.String,
      error: Schema.String,
      firstSequence: Schema.UndefinedOr(Sequence),
      lastSequence: Schema.UndefinedOr(Sequence),
      crashes: Schema.Int,
    }),
  ),
  lossMark: Schema.optional(
    Schema.Struct({
      firstSequence: Sequence,
      lastSequence: Sequence,
      records: Schema.Int,
      bytes: Schema.Int,
      reason: Schema.Literals(receiptReasons),
      millis: Schema.Number,
    }),
  ),
});

const ReceiptSchema = Schema.Struct({
  customer: Schema.String,
  dataset: Schema.String,
  job: Schema.String,
  firstSequence: Sequence,
  lastSequence: Sequence,
  records: Schema.Int,
  bytes: Schema.Int,
  reason: Schema.Literals(receiptReasons),
  millis: Schema.Number,
});

const packr = new Packr({ useRecords: false });

export const encodeControl = (value: Register | Row | Receipt): Uint8Array => packr.pack(value);

export const decodeRegister = (data: Uint8Array): Register | undefined => decodeWith(RegisterSchema, data);
export const decodeRow = (data: Uint8Array): Row | undefined => decodeWith(RowSchema, data);
export const decodeReceipt = (data: Uint8Array): Receipt | undefined => decodeWith(ReceiptSchema, data);

/** undefined: not ours, or damaged. The caller decides what that means; one bad row must not stop the others. */
const decodeWith = <S extends Schema.Codec<unknown, unknown>>(schema: S, data: Uint8Array): S["Type"] | undefined => {
  let value: unknown;
  try {
    value = unpack(data);
  } catch {
    return undefined;
  }
  return Schema.is(schema)(value) ? value : undefined;
};
