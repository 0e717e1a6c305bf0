import { type JetStreamManager, jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import { Effect, Layer } from "effect";
import { Log, type LogInfo, type LogMessage, LogUnavailable } from "../actors/ports/log.ts";
import { ChunkUndecodable, decode } from "./chunk.ts";
import { directGet, type StoredMessage } from "./direct-get.ts";
import { attempt, Nats } from "./nats.ts";
import { logStream, pairKeyOf, tickSubject } from "./subjects.ts";
import { WriteHints } from "./write-hints.ts";

export interface LogOptions {
  readonly readMessagesMax: number;
  readonly readMillisMax: number;
}

/** Reads partitions by Direct Get, in sequence and unfiltered: it needs no consumer, and goes on without a leader. */
export const layerLog = (options: LogOptions): Layer.Layer<Log, LogUnavailable, Nats | WriteHints> =>
  Layer.effect(
    Log,
    Effect.gen(function* () {
      const { control, read: reading } = yield* Nats;
      const hints = yield* WriteHints;
      // Not asked whether JetStream is there: a node may start while no leader is.
      const manager = yield* attempt("manage", () => jetstreamManager(control, { checkAPI: false })).pipe(
        Effect.mapError(({ detail }) => new LogUnavailable({ operation: "describe", detail })),
      );

      const read = Effect.fnUntraced(function* (partition: number, sequence: number, bytesMax: number) {
        const stored = yield* directGet(reading, {
          stream: logStream(partition),
          sequence,
          messagesMax: options.readMessagesMax,
          bytesMax,
          timeoutMillis: options.readMillisMax,
        }).pipe(Effect.mapError(({ detail }) => new LogUnavailable({ operation: "read", detail })));
        return yield* Effect.forEach(stored, decodeMessage);
      });

      const tick = (partition: number) =>
        attempt("publish", () => control.request(tickSubject(partition), new Uint8Array(), { timeout: 2_000 })).pipe(
          Effect.mapError(({ detail }) => new LogUnavailable({ operation: "tick", detail })),
          Effect.andThen(Effect.sync(() => hints.wrote(partition))),
        );

      return Log.of({
        read,
        tick,
        describe: (partition) => describe(manager, partition),
        purge: (partition, sequence) => purge(manager, partition, sequence),
        waitForWrite: hints.wait,
      });
    }),
  );

/** A damaged message is a message without chunks: what it held is lost, which the reader sees by its missing number. */
const decodeMessage = (stored: StoredMessage): Effect.Effect<LogMessage> => {
  const { data, millis, sequence, subject } = stored;
  const empty = { sequence, millis, writer: undefined, jobSet: 0, records: 0, chunks: [] };
  if (subject.endsWith("._tick")) return Effect.succeed(empty);
  return Effect.suspend((): Effect.Effect<LogMessage> => {
    try {
      const { chunks, jobSet, records, writer } = decode(data, pairKeyOf(subject));
      return Effect.succeed({ sequence, millis, writer, jobSet, records, chunks });
    } catch (error) {
      if (!(error instanceof ChunkUndecodable)) throw error;
      return Effect.as(Effect.logError("Undecodable log message.", { subject, sequence, reason: error.reason }), empty);
    }
  });
};

/** Asked of the leader, unlike reads: used where a replica that lags would mislead. */
const describe = (manager: JetStreamManager, partition: number): Effect.Effect<LogInfo, LogUnavailable> =>
  attempt("manage", () => manager.streams.info(logStream(partition))).pipe(
    Effect.map(({ created, state, ts }: StreamInfo & { readonly ts?: string }) => ({
      incarnation: created,
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      bytes: state.bytes,
      firstMillis: state.messages === 0 ? undefined : Date.parse(state.first_ts),
      // Not in the client's types: every JetStream answer of this kind has it since nats-server 2.10.
      nowMillis: ts === undefined ? undefined : Date.parse(ts),
    })),
    Effect.mapError(({ detail }) => new LogUnavailable({ operation: "describe", detail })),
  );

/** Keeps the order of things: only the oldest messages go, so no gap comes to be between those that stay. */
const purge = (manager: JetStreamManager, partition: number, sequence: number): Effect.Effect<void, LogUnavailable> =>
  attempt("manage", () => manager.streams.purge(logStream(partition), { seq: sequence + 1 })).pipe(
    Effect.asVoid,
    Effect.mapError(({ detail }) => new LogUnavailable({ operation: "purge", detail })),
  );
