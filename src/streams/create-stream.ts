import { JetStreamApiError, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import { Effect, Schedule } from "effect";
import { attempt, NatsError } from "./nats.ts";

/** JetStream's code for a store without room for what a stream reserves. */
const noRoomCode = 10_047;
const waiting = { millis: 250, timesMax: 20 };

type Wanted = Partial<StreamConfig> & { readonly name: string };

/**
 * Creates a stream, or finds that there is one. A server that is asked for one that it has, or that it is making for
 * another node, counts what it reserves once more and may say that there is no room, or fails over its files: that is
 * believed only where there is no such stream for some seconds.
 *
 * @returns `found`: it was there already, and is not compared with what is wanted
 */
export const createStream = (
  manager: JetStreamManager,
  wanted: Wanted,
): Effect.Effect<"created" | "found", NatsError> =>
  attempt("manage", () => manager.streams.add(wanted)).pipe(
    Effect.as("created" as const),
    Effect.catchIf(isRefusal, (error) =>
      attempt("manage", () => manager.streams.info(wanted.name)).pipe(
        Effect.as("found" as const),
        Effect.mapError(() => error),
      ),
    ),
    despiteOthers,
    Effect.mapError((error) => explained(error, wanted)),
  );

/** For what several nodes may create at once: asked again for some seconds while the server is at fault. */
export const despiteOthers = <A>(create: Effect.Effect<A, NatsError>): Effect.Effect<A, NatsError> =>
  Effect.retry(create, {
    while: isServersFault,
    schedule: Schedule.spaced(waiting.millis),
    times: waiting.timesMax,
  });

const isRefusal = ({ cause }: NatsError): boolean => cause instanceof JetStreamApiError;

/** Its statuses are those of HTTP. */
const isServersFault = ({ cause }: NatsError): boolean => cause instanceof JetStreamApiError && cause.status >= 500;

const explained = (error: NatsError, { max_bytes, name }: Wanted): NatsError => {
  const { cause, detail, operation } = error;
  if (!(cause instanceof JetStreamApiError) || cause.code !== noRoomCode) return error;
  return new NatsError({
    operation,
    cause,
    detail:
      `${detail} for the stream ${name}, which reserves ${max_bytes} bytes: ` +
      "raise max_file_store of the NATS servers, or lower the limits of this node",
  });
};
