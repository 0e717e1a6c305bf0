import { connect, type NatsConnection } from "@nats-io/transport-node";
import { Context, Effect, Layer, Redacted, Schema } from "effect";

export class NatsError extends Schema.TaggedError<NatsError>()("NatsError", {
  operation: Schema.Literals(["connect", "manage", "publish", "read", "kv"]),
  detail: Schema.String,
  cause: Schema.Defect(),
}) {}

/** The one place where a promise of the NATS client becomes an effect with a typed error. */
export const attempt = <A>(operation: NatsError["operation"], run: () => Promise<A>): Effect.Effect<A, NatsError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new NatsError({ operation, detail: cause instanceof Error ? cause.message : String(cause), cause }),
  });

export interface NatsOptions {
  /** `host:port` or `nats://host:port`, comma-separated for a cluster. */
  readonly servers: string;
  readonly token?: Redacted.Redacted | undefined;
  readonly name: string;
}

/**
 * Three connections, so that no role waits behind another's bytes: a Direct Get answers with megabytes at once, and a
 * checkpoint must not stand in that queue.
 */
export class Nats extends Context.Service<
  Nats,
  {
    readonly publish: NatsConnection;
    readonly read: NatsConnection;
    readonly control: NatsConnection;
    /** Whether every connection is up at this moment. */
    readonly connected: () => boolean;
  }
>()("spillway/streams/Nats") {
  static readonly layer = (options: NatsOptions): Layer.Layer<Nats, NatsError> =>
    Layer.effect(
      Nats,
      Effect.gen(function* () {
        const [publish, read, control] = yield* Effect.all(
          [open(options, "publish"), open(options, "read"), open(options, "control")],
          { concurrency: 3 },
        );
        const all = [publish, read, control];
        return Nats.of({
          publish: publish.connection,
          read: read.connection,
          control: control.connection,
          connected: () => all.every(({ up }) => up()),
        });
      }),
    );
}

const open = Effect.fnUntraced(function* (options: NatsOptions, role: string) {
  const connection = yield* Effect.acquireRelease(
    attempt("connect", () =>
      connect({
        servers: options.servers.split(",").map((server) => server.trim()),
        name: `${options.name}/${role}`,
        // For ever: the outbox and the reader keep what they have and go on when the server is back.
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 100,
        // The default notices a dead peer after minutes.
        pingInterval: 5_000,
        maxPingOut: 2,
        noAsyncTraces: true,
        timeout: 10_000,
        ...(options.token === undefined ? {} : { token: Redacted.value(options.token) }),
      }),
    ),
    // close(), not drain(): whatever matters was acknowledged before, and drain waits for a server that may be gone.
    (nc) => (nc.isClosed() ? Effect.void : Effect.promise(() => nc.close())),
  );
  let up = true;
  yield* Effect.forkScoped(
    Effect.promise(async () => {
      for await (const status of connection.status()) {
        if (status.type === "disconnect" || status.type === "staleConnection") up = false;
        if (status.type === "reconnect") up = true;
      }
    }),
  );
  return { connection, up: () => up && !connection.isClosed() };
});
