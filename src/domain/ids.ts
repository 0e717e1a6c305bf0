import { Schema } from "effect";

/**
 * The grammar of every id that becomes a NATS subject token, a KV key or a path segment: 1 to 64 characters, letters,
 * digits, `-` and `_`, never a leading `_` (reserved for our own tokens such as `_mux`), never a dot.
 */
export const idPattern = /^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$/;

export const isId = (text: string): boolean => idPattern.test(text);

const Id = Schema.String.check(
  Schema.isPattern(idPattern, {
    message: "must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_'",
  }),
);

/** Whose logs these are; the unit of isolation. */
export const CustomerId = Id.pipe(Schema.brand("CustomerId"));
export type CustomerId = typeof CustomerId.Type;

/** A named kind of log, such as `http_requests`. */
export const DatasetName = Id.pipe(Schema.brand("DatasetName"));
export type DatasetName = typeof DatasetName.Type;

/** A standing order: customer + dataset + destination. */
export const PushJobId = Id.pipe(Schema.brand("PushJobId"));
export type PushJobId = typeof PushJobId.Type;
