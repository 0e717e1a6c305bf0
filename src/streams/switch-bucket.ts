import { jetstream, JetStreamApiError, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { Effect, Option, Schema } from "effect";
import { despiteOthers } from "./create-stream.ts";
import { KillSwitch } from "../domain/kill-switch.ts";
import { directGet, type DirectGetFailed } from "./direct-get.ts";
import { attempt, Nats, type NatsError } from "./nats.ts";
import { controlStream, switchesBucket } from "./subjects.ts";

/** A kill switch as the store holds it; one that was taken away stays, to say by whom and why. */
export const StoredSwitch = Schema.Struct({
  on: Schema.Boolean,
  switch: KillSwitch,
  /** Who took it away. */
  removed: Schema.optionalKey(Schema.Struct({ who: Schema.String, why: Schema.String, millis: Schema.Int })),
});
export type StoredSwitch = typeof StoredSwitch.Type;

/** An entry in the order of the store. `unreadable` says nothing: what was known of the switch stays true. */
export interface SwitchEntry {
  readonly id: string;
  readonly revision: number;
  readonly stored: StoredSwitch | "unreadable" | "deleted";
}

/** Everything from a sequence on, and where it ends. */
export interface SwitchSlice {
  readonly entries: ReadonlyArray<SwitchEntry>;
  readonly position: number;
}

const stream = `KV_${switchesBucket}`;
const subjectPrefix = `$KV.${switchesBucket}.`;
export const switchSubjects = `${subjectPrefix}>`;
/** So many changes of one switch can be read. */
const switchHistory = 20;
const switchBytesMax = 4_096;
const answerMillisMax = 2_000;
const sliceMessagesMax = 500;
/** More were never kept by any number of nodes: a bucket that is longer is somebody else's. */
const slicesMax = 1_000;
const wrongLastSequence = 10_071;

/** The bucket `switches`, one key per kill switch. */
export interface SwitchBucket {
  readonly connection: NatsConnection;
  /** All entries after a sequence, any replica may answer. */
  readonly readAfter: (sequence: number) => Effect.Effect<SwitchSlice, NatsError | DirectGetFailed>;
  /** The newest entry as the stream's leader has it; undefined: there never was one. */
  readonly latest: (id: string) => Effect.Effect<SwitchEntry | undefined, NatsError>;
  /** Compare-and-set (0: none yet): the new revision, or undefined when somebody else's change came first. */
  readonly write: (stored: StoredSwitch, lastRevision: number) => Effect.Effect<number | undefined, NatsError>;
  /** When the stream was made, and its last sequence: by these a reader notices that it was replaced. */
  readonly describe: Effect.Effect<{ readonly created: string; readonly lastSequence: number }, NatsError>;
}

/** Creates the bucket if it is absent. Settings of one that exists are left alone: it must open in an emergency. */
export const openSwitchBucket = Effect.fn("SwitchBucket.open")(function* (replicas: number) {
  const { control } = yield* Nats;
  const kv = yield* attempt("kv", () =>
    new Kvm(control).create(switchesBucket, {
      history: switchHistory,
      storage: StorageType.File,
      replicas,
      maxValueSize: switchBytesMax,
      allow_direct: true,
      description: "Spillway's kill switches, one key each.",
    }),
  ).pipe(despiteOthers);
  const manager = yield* attempt("manage", () =>
    jetstreamManager(control, { checkAPI: false, timeout: answerMillisMax }),
  );
  const client = jetstream(control, { timeout: answerMillisMax });

  const entryOf = Effect.fnUntraced(function* (subject: string, revision: number, data: Uint8Array) {
    const id = subject.slice(subjectPrefix.length);
    if (data.length > 0) return { id, revision, stored: decodeStored(id, data) } satisfies SwitchEntry;
    // Deleted by another tool, which says so in a header; an empty value that somebody stored says nothing.
    const entry = yield* attempt("kv", () => kv.get(id, { revision }));
    const stored = entry !== null && entry.operation !== "PUT" ? "deleted" : "unreadable";
    return { id, revision, stored } satisfies SwitchEntry;
  });

  const readAfter = Effect.fnUntraced(function* (sequence: number) {
    const entries: Array<SwitchEntry> = [];
    let position = sequence;
    for (let slice = 0; slice < slicesMax; slice++) {
      const messages = yield* directGet(control, {
        stream,
        sequence: position + 1,
        messagesMax: sliceMessagesMax,
        bytesMax: sliceMessagesMax * switchBytesMax,
        timeoutMillis: answerMillisMax,
      });
      if (messages.length === 0) break;
      for (const message of messages) entries.push(yield* entryOf(message.subject, message.sequence, message.data));
      position = messages.at(-1)!.sequence;
    }
    return { entries, position };
  });

  return {
    connection: control,
    readAfter,
    latest: Effect.fnUntraced(function* (id) {
      const message = yield* attempt("kv", () =>
        manager.streams.getMessage(stream, { last_by_subj: `${subjectPrefix}${id}` }),
      );
      return message === null ? undefined : yield* entryOf(message.subject, message.seq, message.data);
    }),
    write: (stored, lastRevision) =>
      attempt("kv", () =>
        client.publish(`${subjectPrefix}${stored.switch.id}`, JSON.stringify(stored), {
          timeout: answerMillisMax,
          expect: { lastSubjectSequence: lastRevision, streamName: stream },
        }),
      ).pipe(
        Effect.map(({ seq }): number | undefined => seq),
        Effect.catchIf(isWrongSequence, () => Effect.undefined),
      ),
    describe: attempt("manage", () => manager.streams.info(stream)).pipe(
      Effect.map(({ created, state }) => ({ created, lastSequence: state.last_seq })),
    ),
  } satisfies SwitchBucket;
});

/**
 * As many as the rest of Spillway has here: a bucket that is made without a node must not be the one that is lost.
 * Undefined: there is no Spillway on this NATS.
 */
export const replicasOfCluster: Effect.Effect<number | undefined, NatsError, Nats> = Effect.gen(function* () {
  const { control } = yield* Nats;
  const manager = yield* attempt("manage", () => jetstreamManager(control, { checkAPI: false }));
  const { config } = yield* attempt("manage", () => manager.streams.info(controlStream(0)));
  return config.num_replicas;
}).pipe(
  Effect.catchIf(
    ({ detail }) => detail.includes("stream not found"),
    () => Effect.undefined,
  ),
);

const isWrongSequence = ({ cause }: NatsError): boolean =>
  cause instanceof JetStreamApiError && cause.code === wrongLastSequence;

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(StoredSwitch));

/** Under another key than its own it is not what it says. */
const decodeStored = (id: string, data: Uint8Array): StoredSwitch | "unreadable" => {
  const stored = Option.getOrUndefined(decode(Buffer.from(data).toString()));
  return stored?.switch.id === id ? stored : "unreadable";
};
