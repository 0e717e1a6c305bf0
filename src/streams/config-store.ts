import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { Effect, Schema } from "effect";
import { type ConfigPointer, ConfigPointer as PointerSchema } from "../domain/config-pointer.ts";
import { StreamRefused, StreamSilent, storeAtomically, apiCodes } from "./atomic-batch.ts";
import { createStream } from "./create-stream.ts";
import { attempt, Nats, type NatsError } from "./nats.ts";
import {
  blobSubject,
  firstPartsOfBlobs,
  manifestSubjects,
  partsOfBlob,
  configStream,
  configSubjects,
  configStateSubject,
  manifestSubject,
} from "./subjects.ts";

/** What the store of configurations cannot do, or does not say. `conflict`: somebody else wrote first. */
export class ConfigStoreError extends Schema.TaggedError<ConfigStoreError>()("ConfigStoreError", {
  reason: Schema.Literals(["unavailable", "conflict", "damaged"]),
  message: Schema.String,
}) {}

/** A value under compare-and-set: `revision` 0 is none. */
export interface Versioned<A> {
  readonly value: A;
  readonly revision: number;
}

/**
 * Snapshots, and what is decided about them: a stream with one message per subject. What is named by its hash or its
 * number is written once; the rest is written with compare-and-set.
 */
export interface ConfigStore {
  /** Durable when it completes. The same again is a success that changes nothing. */
  readonly putBlob: (hash: string, stored: Uint8Array) => Effect.Effect<void, ConfigStoreError>;
  /** Undefined: there is none. At most `bytesMax` are read. */
  readonly getBlob: (hash: string, bytesMax: number) => Effect.Effect<Uint8Array | undefined, ConfigStoreError>;
  /** Fails with `conflict` when another manifest has this number. */
  readonly putManifest: (number: number, encoded: Uint8Array) => Effect.Effect<void, ConfigStoreError>;
  readonly getManifest: (number: number) => Effect.Effect<Uint8Array | undefined, ConfigStoreError>;
  readonly contents: Effect.Effect<StoredContents, ConfigStoreError>;
  /** For what nobody will go back to. */
  readonly removeManifest: (number: number) => Effect.Effect<void, ConfigStoreError>;
  readonly removeBlob: (hash: string) => Effect.Effect<void, ConfigStoreError>;
  /** What nodes are to serve; undefined before there ever was anything. */
  readonly pointer: Effect.Effect<Versioned<ConfigPointer> | undefined, ConfigStoreError>;
  /** @returns the new revision */
  readonly point: (pointer: ConfigPointer, revision: number) => Effect.Effect<number, ConfigStoreError>;
  /** Any other state of the control side, as JSON. */
  readonly state: (name: string) => Effect.Effect<Versioned<unknown> | undefined, ConfigStoreError>;
  readonly putState: (name: string, value: unknown, revision: number) => Effect.Effect<number, ConfigStoreError>;
}

export interface StoredContents {
  /** Their numbers. */
  readonly manifests: ReadonlyArray<number>;
  /** Their hashes. */
  readonly blobs: ReadonlyArray<string>;
  /** Of everything in the store. */
  readonly bytes: number;
}

/** Well below what a server takes in one message by default. */
const partBytes = 524_288;
const answerMillisMax = 2_000;

export interface ConfigStoreOptions {
  readonly replicas: number;
  /** Of all snapshots together: room for a few dozen of a million jobs. */
  readonly configBytesMax: number;
}

const managerOf = (control: NatsConnection) =>
  attempt("manage", () => jetstreamManager(control, { checkAPI: false, timeout: answerMillisMax }));

/** Creates the stream if it is absent. */
export const createConfigStream = Effect.fn("ConfigStore.create")(function* (options: ConfigStoreOptions) {
  const { control } = yield* Nats;
  // Made by another version or with another size: what is there is what counts.
  yield* createStream(yield* managerOf(control), {
    name: configStream,
    subjects: [configSubjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    // Full, it refuses a new snapshot; what is in force is never discarded for it.
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_bytes: options.configBytesMax,
    num_replicas: options.replicas,
    allow_direct: true,
    description: "Spillway's configuration snapshots.",
  });
});

/** The store, without a request: its stream may be created later. */
export const bindConfigStore = Effect.gen(function* () {
  const { control } = yield* Nats;
  return makeConfigStore(yield* Effect.orDie(managerOf(control)), (subject, data, lastSequence) =>
    storeAtomically(control, [{ subject, data }], {
      batchId: subject,
      timeoutMillis: answerMillisMax,
      guard: { subject, lastSequence },
    }).pipe(Effect.map(({ sequence }) => sequence)),
  );
});

export const openConfigStore = (options: ConfigStoreOptions) =>
  Effect.andThen(createConfigStream(options), bindConfigStore);

type Write = (
  subject: string,
  data: Uint8Array,
  lastSequence: number,
) => Effect.Effect<number, StreamRefused | StreamSilent>;

const makeConfigStore = (manager: JetStreamManager, write: Write): ConfigStore => {
  // The leader's answer: a replica may be behind, and say that there is none.
  const read = (subject: string) =>
    attempt("read", () => manager.streams.getMessage(configStream, { last_by_subj: subject })).pipe(
      Effect.mapError(unavailable),
    );

  /** Undefined: something is there already. */
  const writeFirst = (subject: string, data: Uint8Array) =>
    write(subject, data, 0).pipe(
      Effect.map((sequence): number | undefined => sequence),
      Effect.catchIf(isWrongSequence, () => Effect.undefined),
      Effect.mapError(unavailable),
    );

  const writeAfter = (subject: string, value: unknown, revision: number) =>
    write(subject, Buffer.from(JSON.stringify(value)), revision).pipe(
      Effect.catchIf(isWrongSequence, () =>
        Effect.fail(new ConfigStoreError({ reason: "conflict", message: `${subject} was changed by somebody else` })),
      ),
      Effect.mapError((error) => (error._tag === "ConfigStoreError" ? error : unavailable(error))),
    );

  const purge = (filter: string) =>
    attempt("manage", () => manager.streams.purge(configStream, { filter })).pipe(
      Effect.mapError(unavailable),
      Effect.asVoid,
    );

  const readJson = Effect.fnUntraced(function* (subject: string) {
    const message = yield* read(subject);
    if (message === null) return undefined;
    const value = yield* Effect.try({
      try: () => JSON.parse(Buffer.from(message.data).toString()) as unknown,
      catch: () => new ConfigStoreError({ reason: "damaged", message: `${subject} is no JSON` }),
    });
    return { value, revision: message.seq };
  });

  return {
    putBlob: Effect.fnUntraced(function* (hash, stored) {
      const parts = Math.max(1, Math.ceil(stored.length / partBytes));
      // The first part says how many there are, and is written last: whoever finds it finds all.
      for (let part = parts - 1; part >= 0; part--) {
        const data = stored.subarray(part * partBytes, (part + 1) * partBytes);
        yield* writeFirst(blobSubject(hash, part), part === 0 ? Buffer.concat([countOf(parts), data]) : data);
      }
    }),
    getBlob: Effect.fnUntraced(function* (hash, bytesMax) {
      const first = yield* read(blobSubject(hash, 0));
      if (first === null || first.data.length < 4) return undefined;
      const parts = Buffer.from(first.data).readUInt32LE(0);
      if (parts > Math.ceil(bytesMax / partBytes) + 1)
        return yield* new ConfigStoreError({ reason: "damaged", message: `the blob ${hash} has ${parts} parts` });
      const all: Array<Uint8Array> = [first.data.subarray(4)];
      for (let part = 1; part < parts; part++) {
        const message = yield* read(blobSubject(hash, part));
        if (message === null)
          return yield* new ConfigStoreError({
            reason: "damaged",
            message: `part ${part} of the blob ${hash} is gone`,
          });
        all.push(message.data);
      }
      return Buffer.concat(all);
    }),
    putManifest: Effect.fnUntraced(function* (number, encoded) {
      if ((yield* writeFirst(manifestSubject(number), encoded)) !== undefined) return;
      // An answer may have been lost: then the one that is there is this one.
      const there = yield* read(manifestSubject(number));
      if (there !== null && Buffer.compare(there.data, encoded) === 0) return;
      const message = `there is another snapshot ${number}`;
      return yield* new ConfigStoreError({ reason: "conflict", message });
    }),
    getManifest: (number) => Effect.map(read(manifestSubject(number)), (message) => message?.data),
    contents: Effect.gen(function* () {
      const manifests: Array<number> = [];
      const blobs: Array<string> = [];
      let bytes = 0;
      const filters = [manifestSubjects, firstPartsOfBlobs];
      for (const subjects_filter of filters) {
        const { state } = yield* attempt("manage", () => manager.streams.info(configStream, { subjects_filter })).pipe(
          Effect.mapError(unavailable),
        );
        bytes = state.bytes;
        for (const subject of Object.keys(state.subjects ?? {})) {
          const [, kind, name = ""] = subject.split(".");
          if (kind === "manifest") manifests.push(Number(name));
          else blobs.push(name);
        }
      }
      return { manifests, blobs, bytes };
    }),
    removeManifest: (number) => purge(manifestSubject(number)),
    removeBlob: (hash) => purge(partsOfBlob(hash)),
    pointer: Effect.gen(function* () {
      const found = yield* readJson(configStateSubject("pointer"));
      if (found === undefined) return undefined;
      const value = yield* decodePointer(found.value).pipe(
        Effect.mapError(
          () => new ConfigStoreError({ reason: "damaged", message: "what nodes are to serve does not decode" }),
        ),
      );
      return { value, revision: found.revision };
    }),
    point: (pointer, revision) => writeAfter(configStateSubject("pointer"), pointer, revision),
    state: (name) => readJson(configStateSubject(name)),
    putState: (name, value, revision) => writeAfter(configStateSubject(name), value, revision),
  };
};

const decodePointer = Schema.decodeUnknownEffect(PointerSchema);

const countOf = (parts: number): Buffer => {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(parts);
  return count;
};

const isWrongSequence = (error: StreamRefused | StreamSilent): error is StreamRefused =>
  error._tag === "StreamRefused" && error.code === apiCodes.wrongLastSequence;

const unavailable = (error: NatsError | StreamRefused | StreamSilent): ConfigStoreError =>
  new ConfigStoreError({
    reason: "unavailable",
    message: error._tag === "StreamRefused" ? error.description : error.detail,
  });
