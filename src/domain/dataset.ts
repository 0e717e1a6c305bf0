import { Schema } from "effect";
import { DatasetName } from "./ids.ts";

/** One entry of the catalogue, `config/datasets/<name>.json`: data, not code. */
export const Dataset = Schema.Struct({
  name: DatasetName,
  description: Schema.optionalKey(Schema.String),
  /** What one of its customers is: a site, or an account that may have several. */
  scope: Schema.optionalKey(Schema.Literals(["zone", "account"])),
  /** The top-level field that names the customer of each record of a mixed body. */
  customerField: Schema.optionalKey(Schema.NonEmptyString),
  timestampField: Schema.optionalKey(Schema.NonEmptyString),
  /** Whether the forwarder refuses records that are not JSON (costs a parse per record). */
  validate: Schema.optionalKey(Schema.Boolean),
  fields: Schema.Record(
    Schema.String,
    Schema.Struct({
      type: Schema.Literals(["string", "int", "float", "boolean", "array", "object", "timestamp"]),
      description: Schema.String,
    }),
  ),
});
export type Dataset = typeof Dataset.Type;
