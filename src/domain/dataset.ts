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

/** A field that records of the dataset are read by. */
export interface ReadField {
  readonly key: "customerField" | "timestampField";
  readonly field: string;
}

/** What its records are read by and is none of its own fields. Of one that declares no fields nothing is known. */
export const unknownFieldsOf = (dataset: Dataset): ReadonlyArray<ReadField> => {
  if (Object.keys(dataset.fields).length === 0) return [];
  return (["customerField", "timestampField"] as const).flatMap((key) => {
    const field = dataset[key];
    return field === undefined || Object.hasOwn(dataset.fields, field) ? [] : [{ key, field }];
  });
};
