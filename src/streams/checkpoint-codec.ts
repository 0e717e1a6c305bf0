import { Schema } from "effect";
import { Packr, unpack } from "msgpackr";
import { accounts, booksOfNumbers, numbersOfBooks } from "../domain/books.ts";
import { type Receipt, receiptReasons, type Register, type Row } from "../actors/ports/checkpoints.ts";

/** Rows, registers and receipts as bytes: msgpack, checked by a Schema on the way back. */

const Sequence = Schema.Int;
const TallySchema = Schema.Struct({ records: Schema.Int, bytes: Schema.Int });

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
  receipted: Schema.optional(Sequence),
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
    accepted: TallySchema,
    delivered: TallySchema,
    filtered: TallySchema,
    sampled: TallySchema,
    expired: TallySchema,
    shed: TallySchema,
    deadLettered: TallySchema,
    pending: TallySchema,
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
  former: Schema.optional(Schema.Array(Schema.Struct({ pairKey: Schema.String, start: Sequence, counted: Sequence }))),
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
  refusal: Schema.optionalKey(Schema.Struct({ door: Schema.String, fromMillis: Schema.Number, node: Schema.String })),
});

const packr = new Packr({ useRecords: false });

export const encodeControl = (value: Register | Row | Receipt): Uint8Array =>
  ("pairKey" in value ? packPlain(value) : undefined) ?? packr.pack(value);

export const decodeRegister = (data: Uint8Array): Register | undefined => decodeWith(RegisterSchema, data);
export const decodeRow = (data: Uint8Array): Row | undefined => {
  const value = unpacked(data);
  if (Array.isArray(value)) return unpackPlain(value);
  return Schema.is(RowSchema)(value) ? value : undefined;
};
export const decodeReceipt = (data: Uint8Array): Receipt | undefined => decodeWith(ReceiptSchema, data);

/** The first element of a row that is written by place; another layout will have another number. */
const byPlace = 1;
const plainNames: ReadonlySet<string> = new Set(
  "job,pairKey,revision,start,cursor,counted,cuts,books,snapshot,deleted,lastSuccessMillis".split(","),
);

/**
 * A row of a job that nothing special happens to, by place instead of by name: a quarter of the bytes, and of the time
 * that a node with a million of them takes to start. undefined: this row has more to say.
 */
const packPlain = (row: Row): Uint8Array | undefined => {
  const { books, counted, cursor, cuts, deleted, job, lastSuccessMillis, pairKey, revision, snapshot, start } = row;
  if (cuts.length > 0 || deleted || snapshot !== undefined) return undefined;
  // Asked the other way round: a member that somebody adds to rows must not be left out here.
  for (const [name, value] of Object.entries(row)) if (value !== undefined && !plainNames.has(name)) return undefined;
  const values: Array<unknown> = [byPlace, job, pairKey, revision, start, cursor, counted, lastSuccessMillis ?? null];
  values.push(...numbersOfBooks(books));
  return packr.pack(values);
};

const placesBefore = 8;
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);

const unpackPlain = (values: ReadonlyArray<unknown>): Row | undefined => {
  if (values[0] !== byPlace || values.length !== placesBefore + 2 * accounts.length) return undefined;
  const [, job, pairKey, revision, start, cursor, counted, success, ...numbers] = values;
  if (typeof job !== "string" || typeof pairKey !== "string" || !numbers.every(isWhole)) return undefined;
  if (!isWhole(revision) || !isWhole(start) || !isWhole(cursor) || !isWhole(counted)) return undefined;
  if (success !== null && typeof success !== "number") return undefined;
  return {
    job,
    pairKey,
    revision,
    start,
    cursor,
    counted,
    cuts: [],
    books: booksOfNumbers(numbers),
    snapshot: undefined,
    deleted: false,
    lastSuccessMillis: success ?? undefined,
    lastErrorMillis: undefined,
    lastError: undefined,
  };
};

/** undefined: not ours, or damaged. The caller decides what that means; one bad row must not stop the others. */
const decodeWith = <S extends Schema.Codec<unknown, unknown>>(schema: S, data: Uint8Array): S["Type"] | undefined => {
  const value = unpacked(data);
  return Schema.is(schema)(value) ? value : undefined;
};

const unpacked = (data: Uint8Array): unknown => {
  try {
    return unpack(data);
  } catch {
    return undefined;
  }
};
