import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { Effect, Schema } from "effect";
import { createStream } from "./create-stream.ts";
import { attempt, Nats, type NatsError } from "./nats.ts";
import { controlStream, controlSubjects, deadStream, deadSubjects, logStream, logSubjects } from "./subjects.ts";

/** What exists differs from what this node needs. Nothing was changed. */
export class TopologyMismatch extends Schema.TaggedError<TopologyMismatch>()("TopologyMismatch", {
  stream: Schema.String,
  message: Schema.String,
}) {}

export interface TopologyOptions {
  readonly partitions: number;
  readonly replicas: number;
  readonly logBytesMax: number;
  readonly logMaxAgeSeconds: number;
  readonly messageBytesMax: number;
}

export interface DeadLetterStreamOptions {
  readonly replicas: number;
  readonly messageBytesMax: number;
  readonly deadLetterBytesMax: number;
  readonly deadLetterAgeSecondsMax: number;
}

/** Share of the file store that must stay free of LOG streams, so that a full store never refuses a checkpoint. */
const reservedShare = 0.15;
/** For CTL streams, the jobs bucket and their block overhead, per partition and in all. */
const controlBytesPerPartition = 33_554_432;
const controlBytesFixed = 268_435_456;

/** Bytes that the store needs for these streams, `max_file_store` of the server included its reserve. */
export const fileStoreBytes = (options: {
  readonly partitions: number;
  readonly logBytesMax: number;
  readonly deadLetterBytesMax: number;
  readonly auditBytesMax: number;
  readonly configBytesMax: number;
}): number =>
  Math.ceil(
    (options.partitions * (options.logBytesMax + controlBytesPerPartition) +
      options.deadLetterBytesMax +
      options.auditBytesMax +
      options.configBytesMax +
      controlBytesFixed) /
      (1 - reservedShare),
  );

type Wanted = Partial<StreamConfig> & { readonly name: string };

/** One stream for the dead letters of all partitions. */
const deadLetters = (options: DeadLetterStreamOptions): Wanted => ({
  name: deadStream,
  subjects: [deadSubjects],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  // First write wins, and a full stream refuses: a letter is never lost to make room for another.
  discard: DiscardPolicy.New,
  discard_new_per_subject: true,
  max_msgs_per_subject: 1,
  max_age: nanos(options.deadLetterAgeSecondsMax * 1_000),
  max_bytes: options.deadLetterBytesMax,
  max_msg_size: options.messageBytesMax,
  num_replicas: options.replicas,
  allow_direct: true,
});

/** The streams as data: two per partition. */
const partitionStreams = (options: TopologyOptions): ReadonlyArray<Wanted> =>
  Array.from({ length: options.partitions }, (_, partition) => [
    {
      name: logStream(partition),
      subjects: [logSubjects(partition)],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(options.logMaxAgeSeconds * 1_000),
      max_bytes: options.logBytesMax,
      max_msg_size: options.messageBytesMax,
      num_replicas: options.replicas,
      duplicate_window: nanos(120_000),
      allow_direct: true,
      allow_atomic: true,
      // No interior deletes: so every jump of the sequence is a loss, and is treated as one.
      deny_delete: true,
      metadata: { spillway_partitions: String(options.partitions) },
    },
    {
      name: controlStream(partition),
      subjects: [controlSubjects(partition)],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      num_replicas: options.replicas,
      allow_direct: true,
      allow_atomic: true,
      metadata: { spillway_partitions: String(options.partitions) },
    },
  ]).flat();

/**
 * Creates what is missing of logs and checkpoints, and checks what exists. A difference is an error that names it,
 * never a silent change. Asks nothing but these streams: a node starts when they answer, whoever else does not.
 */
export const reconcileTopology = Effect.fn("streams.reconcileTopology")(function* (options: TopologyOptions) {
  const { control } = yield* Nats;
  yield* checkPayload(control.info?.max_payload ?? 0, options.messageBytesMax);
  const manager = yield* attempt("manage", () => jetstreamManager(control, { checkAPI: false }));
  // Everything is checked before anything is created: a node with other settings must not leave a stream behind.
  const missing = yield* missingOf(manager, partitionStreams(options));
  yield* refuseOtherPartitions(manager, options.partitions);
  yield* createAll(manager, missing);
});

/** The same for the stream of dead letters. */
export const reconcileDeadLetters = Effect.fn("streams.reconcileDeadLetters")(function* (
  options: DeadLetterStreamOptions,
) {
  const { control } = yield* Nats;
  const manager = yield* attempt("manage", () => jetstreamManager(control, { checkAPI: false }));
  yield* createAll(manager, yield* missingOf(manager, [deadLetters(options)]));
});

const missingOf = (manager: JetStreamManager, wanted: ReadonlyArray<Wanted>) =>
  Effect.map(
    Effect.forEach(wanted, (config) => check(manager, config), { concurrency: 8 }),
    (found) => found.flat(),
  );

const createAll = Effect.fnUntraced(function* (manager: JetStreamManager, missing: ReadonlyArray<Wanted>) {
  const outcomes = yield* Effect.forEach(missing, (config) => createStream(manager, config), { concurrency: 8 });
  // Another node was first: its settings may be others.
  const others = missing.filter((_, i) => outcomes[i] === "found");
  yield* Effect.forEach(others, (config) => check(manager, config), { concurrency: 8, discard: true });
});

const checkPayload = (serverMax: number, messageBytesMax: number) =>
  serverMax >= messageBytesMax
    ? Effect.void
    : Effect.fail(
        new TopologyMismatch({
          stream: "-",
          message: `The NATS server's max_payload is ${serverMax} bytes; Spillway needs ${messageBytesMax}. Set max_payload in the server's configuration (8MB will do), or lower limits.messageBytesMax.`,
        }),
      );

/** The stream, if it is yet to be created. */
const check = Effect.fnUntraced(function* (
  manager: JetStreamManager,
  wanted: Wanted,
): Effect.fn.Return<ReadonlyArray<Wanted>, NatsError | TopologyMismatch> {
  const found = yield* attempt("manage", () => manager.streams.info(wanted.name)).pipe(
    Effect.map(({ config }) => config as Partial<StreamConfig>),
    Effect.catchIf(
      ({ detail }) => detail.includes("stream not found"),
      () => Effect.succeed(undefined),
    ),
  );
  if (found === undefined) return [wanted];
  const differences = Object.entries(wanted).flatMap(([key, value]) => difference(key, found, value));
  if (differences.length === 0) return [];
  return yield* new TopologyMismatch({
    stream: wanted.name,
    message: `Stream ${wanted.name} exists with other settings: ${differences.join("; ")}. Start with the settings it was created with, or change the stream by hand.`,
  });
});

const difference = (key: string, found: Partial<StreamConfig>, wanted: unknown): ReadonlyArray<string> => {
  const actual = found[key as keyof StreamConfig];
  if (key === "metadata") {
    const partitions = (actual as Record<string, string> | undefined)?.["spillway_partitions"];
    const expected = (wanted as Record<string, string>)["spillway_partitions"];
    return partitions === expected ? [] : [`partitions is ${partitions ?? "unset"}, wanted ${expected}`];
  }
  return JSON.stringify(actual) === JSON.stringify(wanted)
    ? []
    : [`${key} is ${JSON.stringify(actual)}, wanted ${JSON.stringify(wanted)}`];
};

/** Fewer partitions than exist would leave the others' records without an owner. */
const refuseOtherPartitions = Effect.fnUntraced(function* (manager: JetStreamManager, partitions: number) {
  const next = logStream(partitions);
  const exists = yield* attempt("manage", () => manager.streams.info(next)).pipe(
    Effect.as(true),
    Effect.catch(() => Effect.succeed(false)),
  );
  if (exists) {
    return yield* new TopologyMismatch({
      stream: next,
      message: `Stream ${next} exists, but this node is set to ${partitions} partitions. The number of partitions is fixed when the streams are created: set it to what they were created with.`,
    });
  }
});
