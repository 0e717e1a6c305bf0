import { Effect, Schema } from "effect";

/** Why there is no embedded nats-server. The message is for the operator and says what to do. */
export class EmbeddedServerError extends Schema.TaggedError<EmbeddedServerError>()("EmbeddedServerError", {
  reason: Schema.Literals([
    /** No usable binary was found or fetched. */
    "binary",
    /** The data directory cannot be made, read, written or locked. */
    "dataDirectory",
    /** Another Spillway holds the data directory. */
    "held",
    /** Something that cannot be identified may be using the store. */
    "unidentified",
    /** The nats-server of an earlier run does not end. */
    "orphan",
    /** Another program listens on nats-server's port. */
    "portTaken",
    /** nats-server does not start. */
    "start",
  ]),
  message: Schema.String,
}) {}

/** The one place where a promise of the file system becomes an effect with our error. `what` reads "cannot …". */
export const attemptFile = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, EmbeddedServerError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new EmbeddedServerError({
        reason: "dataDirectory",
        message: `Cannot ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      }),
  });
