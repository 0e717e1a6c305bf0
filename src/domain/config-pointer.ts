import { Schema } from "effect";

const Ref = {
  number: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  /** Of the manifest, hexadecimal. */
  hash: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
};

/** Which snapshot nodes are to serve: all of them, and for the time of a rollout some named ones another. */
export const ConfigPointer = Schema.Struct({
  ...Ref,
  /** A person accepted how much exactly this snapshot takes away. */
  accepted: Schema.Boolean,
  /** It is a step of a rollout: the first so many segments of the customers have the new snapshot. */
  watch: Schema.optionalKey(Schema.Struct({ segments: Schema.Int })),
  canary: Schema.optionalKey(Schema.Struct({ ...Ref, nodes: Schema.Array(Schema.String) })),
});
export type ConfigPointer = typeof ConfigPointer.Type;
