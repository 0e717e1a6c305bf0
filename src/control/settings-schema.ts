import { Schema, Struct } from "effect";
import { Limits } from "../domain/limits.ts";

const Role = Schema.Literals(["forwarder", "owner", "control"]);
export type Role = typeof Role.Type;

/** Settings as people write them, in a file or on the command line: everything may be left out. */
export const WrittenSettings = Schema.Struct({
  /** `host:port`. */
  listen: Schema.optionalKey(Schema.NonEmptyString),
  /** `host:port` of the control thread; left out, the host of `listen` and the port after its port. */
  controlListen: Schema.optionalKey(Schema.NonEmptyString),
  nats: Schema.optionalKey(
    Schema.Struct({
      /** `host:port`, comma-separated. A token comes from the environment (SPILLWAY_NATS_TOKEN). */
      servers: Schema.optionalKey(Schema.NonEmptyString),
      replicas: Schema.optionalKey(Schema.Literals([1, 3, 5])),
    }),
  ),
  embedded: Schema.optionalKey(Schema.Boolean),
  dataDirectory: Schema.optionalKey(Schema.NonEmptyString),
  partitions: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 999 }))),
  roles: Schema.optionalKey(Schema.NonEmptyArray(Role)),
  allowPrivateDestinations: Schema.optionalKey(Schema.Boolean),
  nodeName: Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, {
        message: "must be 1 to 128 letters, digits, '.', '-' or '_', and must begin with a letter or digit",
      }),
    ),
  ),
  datasetsDirectory: Schema.optionalKey(Schema.NonEmptyString),
  /** Alert rules instead of the shipped ones. */
  alertRulesFile: Schema.optionalKey(Schema.NonEmptyString),
  /** The node is a target of drills: faults may be armed and guards switched off over its API. */
  drill: Schema.optionalKey(Schema.Boolean),
  limits: Schema.optionalKey(Limits.mapFields(Struct.map(Schema.optionalKey))),
});
export type WrittenSettings = typeof WrittenSettings.Type;

/** Those of `limits` are in `config/default.json`. */
export const settingsDefaults: WrittenSettings = {
  listen: "127.0.0.1:8080",
  nats: { replicas: 1 },
  embedded: false,
  dataDirectory: ".spillway",
  partitions: 8,
  roles: ["forwarder", "owner", "control"],
  allowPrivateDestinations: false,
};
