import {
  jetstream,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { headers, type NatsConnection, nanos } from "@nats-io/transport-node";
import { Effect } from "effect";
import type { PushJob, StoredJob } from "../domain/push-job.ts";
import { ChangedBy } from "../actors/ports/changed-by.ts";
import { accountHeaders, type JobRevision, readRevisions } from "./job-revisions.ts";
import { despiteOthers } from "./create-stream.ts";
import { directGet } from "./direct-get.ts";
import { StreamRefused, type StreamSilent } from "./atomic-batch.ts";
import { decodeStoredJob } from "./job-codec.ts";
import { type JobsWritten, type JobWrite, transactionHeader, writeJobs } from "./job-batch.ts";
import { attempt, Nats, NatsError } from "./nats.ts";
import { jobsBucket, jobSubject } from "./subjects.ts";
import { TopologyMismatch } from "./topology.ts";

/** So many revisions of a job can be read, as many as a bucket may keep: who changed it, and to go back to. */
export const jobHistory = 64;
/** Of one job, encoded. */
export const jobBytesMax = 65_536;
export const jobsStream = `KV_${jobsBucket}`;
const subjectPrefix = `$KV.${jobsBucket}.`;
const answerMillisMax = 2_000;

/** The newest entry of a key as the stream's leader has it. */
export interface JobEntry {
  readonly revision: number;
  /** The entry is the marker of a removal. */
  readonly removed: boolean;
  /** Undefined: removed, or it does not decode. */
  readonly job: PushJob | undefined;
  /** The attempt of a transaction that wrote it, if one did. */
  readonly transaction?: string | undefined;
}

/** The stream's own account, by which a reader notices that it reads another stream than before. */
export interface BucketState {
  readonly created: string;
  readonly lastSequence: number;
}

/** The bucket `jobs`, one key per push job. Its answers are the leader's unless they say otherwise. */
export interface JobBucket {
  readonly connection: NatsConnection;
  /** Undefined: the key has no message at all. */
  readonly read: (id: string) => Effect.Effect<JobEntry | undefined, NatsError>;
  /**
   * Compare-and-set (0: no message of the key); undefined when somebody else's change came first. Like every write it
   * is kept with who made it (`ChangedBy`).
   */
  readonly write: (
    id: string,
    data: Uint8Array,
    lastRevision: number,
    /** The revision whose settings are brought back. */
    restoreOf?: number,
  ) => Effect.Effect<number | undefined, NatsError>;
  /** All or nothing, each compare-and-set. See `writeJobs`. */
  readonly writeAll: (
    writes: ReadonlyArray<JobWrite>,
    transaction: string,
  ) => Effect.Effect<JobsWritten, StreamRefused | StreamSilent>;
  /** Stores a marker that the job is no more; compare-and-set. */
  readonly mark: (id: string, lastRevision: number) => Effect.Effect<number | undefined, NatsError>;
  /** Every revision that the store remembers, oldest first. */
  readonly history: (id: string) => Effect.Effect<ReadonlyArray<JobRevision>, NatsError>;
  readonly atRevision: (id: string, revision: number) => Effect.Effect<StoredJob | undefined, NatsError>;
  /** The newest decodable revision before `revision`, unless the job was removed in between. */
  readonly lastGoodBefore: (id: string, revision: number) => Effect.Effect<StoredJob | undefined, NatsError>;
  readonly describe: Effect.Effect<BucketState, NatsError>;
}

/** The job id in a subject of the bucket's stream. */
export const jobIdOf = (subject: string): string => subject.slice(subjectPrefix.length);
export const jobSubjects = `${subjectPrefix}>`;

/** Creates the bucket if it is absent. One that exists with other settings is an error that names them. */
export const createJobBucket = Effect.fn("JobBucket.create")(function* (replicas: number) {
  const { control } = yield* Nats;
  yield* attempt("kv", () =>
    new Kvm(control).create(jobsBucket, {
      history: jobHistory,
      storage: StorageType.File,
      replicas,
      maxValueSize: jobBytesMax,
      allow_direct: true,
      description: "Spillway's push jobs, one key per job id.",
    }),
  ).pipe(despiteOthers);
  const manager = yield* attempt("manage", () => jetstreamManager(control, { checkAPI: false }));
  yield* refuseOtherSettings(manager, replicas);
  yield* bringUpToDate(manager);
});

/**
 * The bucket, without a request: it may be created later.
 *
 * @param opened fails until it is as it should be: so long nothing is written, and nothing is said of its identity
 */
export const bindJobBucket = Effect.fnUntraced(function* (opened: Effect.Effect<void, NatsError>) {
  const { control } = yield* Nats;
  const kv = yield* attempt("kv", () => new Kvm(control).open(jobsBucket, { allow_direct: true })).pipe(Effect.orDie);
  const manager = yield* attempt("manage", () => jetstreamManager(control, { checkAPI: false })).pipe(Effect.orDie);
  return makeBucket(control, kv, manager, opened);
});

export const openJobBucket = (replicas: number) =>
  Effect.andThen(createJobBucket(replicas), bindJobBucket(Effect.void));

const refuseOtherSettings = (manager: JetStreamManager, replicas: number) =>
  attempt("manage", () => manager.streams.info(jobsStream)).pipe(
    Effect.map(({ config }) => differences(config, replicas)),
    Effect.flatMap((list) =>
      list.length === 0
        ? Effect.void
        : Effect.fail(
            new TopologyMismatch({
              stream: jobsStream,
              message: `The KV bucket ${jobsBucket} exists with other settings: ${list.join("; ")}. Start with the settings it was created with, or change the stream ${jobsStream} by hand.`,
            }),
          ),
    ),
  );

/**
 * A bucket that an earlier version made is told to take transactions and to keep as many revisions as now: no message
 * and no reader is touched by that. The client's `Kvm` cannot ask for transactions, so a new bucket comes here too.
 */
const bringUpToDate = (manager: JetStreamManager) =>
  attempt("manage", async () => {
    const { config } = await manager.streams.info(jobsStream);
    if (config.allow_atomic === true && config.max_msgs_per_subject === jobHistory) return;
    await manager.streams.update(jobsStream, { ...config, allow_atomic: true, max_msgs_per_subject: jobHistory });
  });

const differences = (config: StreamConfig, replicas: number): ReadonlyArray<string> => {
  const wanted: ReadonlyArray<readonly [string, unknown, unknown]> = [
    // Fewer than now is an earlier version's; what is kept is never made less.
    ["history", Math.max(config.max_msgs_per_subject, jobHistory), jobHistory],
    ["storage", config.storage, StorageType.File],
    ["replicas", config.num_replicas, replicas],
    ["maximum value size", config.max_msg_size, jobBytesMax],
    ["direct get", config.allow_direct, true],
    // A job that expires would be a job that is removed without anybody having ordered it.
    ["time to live", config.max_age, nanos(0)],
  ];
  return wanted
    .filter(([, found, needed]) => found !== needed)
    .map(([name, found, needed]) => `${name} is ${String(found)}, wanted ${String(needed)}`);
};

const makeBucket = (
  connection: NatsConnection,
  kv: KV,
  manager: JetStreamManager,
  opened: Effect.Effect<void, NatsError>,
): JobBucket => {
  const client = jetstream(connection, { timeout: answerMillisMax });
  const publish = Effect.fnUntraced(function* (
    id: string,
    data: Uint8Array,
    lastRevision: number,
    { operation, restoreOf }: { readonly operation?: string; readonly restoreOf?: number | undefined } = {},
  ) {
    yield* opened;
    const head = headers();
    if (operation !== undefined) head.set("KV-Operation", operation);
    for (const [name, value] of Object.entries(accountHeaders(yield* ChangedBy, restoreOf))) head.set(name, value);
    return yield* attempt("kv", () =>
      client.publish(jobSubject(id), data, {
        headers: head,
        timeout: answerMillisMax,
        expect: { lastSubjectSequence: lastRevision, streamName: jobsStream },
      }),
    ).pipe(
      Effect.map(({ seq }): number | undefined => seq),
      Effect.catchIf(isWrongSequence, () => Effect.undefined),
    );
  });
  return {
    connection,
    write: (id, data, lastRevision, restoreOf) => publish(id, data, lastRevision, { restoreOf }),
    writeAll: Effect.fnUntraced(function* (writes, transaction) {
      yield* Effect.mapError(opened, ({ detail }) => new StreamRefused({ code: 0, description: detail }));
      const account = accountHeaders(yield* ChangedBy);
      const accounted = writes.map((write) => ({ ...write, headers: { ...account, ...write.headers } }));
      return yield* writeJobs(connection, accounted, transaction);
    }),
    mark: (id, lastRevision) => publish(id, new Uint8Array(), lastRevision, { operation: "DEL" }),
    history: (id) =>
      readRevisions(connection, manager, id, { stream: jobsStream, history: jobHistory, bytesMax: jobBytesMax }),
    read: (id) =>
      attempt("kv", () => manager.streams.getMessage(jobsStream, { last_by_subj: jobSubject(id) })).pipe(
        Effect.map((message) =>
          message === null
            ? undefined
            : {
                revision: message.seq,
                removed: message.header.get("KV-Operation") !== "",
                job: decodeStoredJob(id, message.data),
                transaction: message.header.get(transactionHeader) || undefined,
              },
        ),
      ),
    atRevision: (id, revision) =>
      attempt("kv", () => kv.get(id, { revision })).pipe(
        Effect.map((entry) => (entry === null ? undefined : storedJob(id, revision, entry.value))),
      ),
    lastGoodBefore: (id, revision) => lastGoodBefore(connection, id, revision),
    describe: opened.pipe(
      Effect.andThen(attempt("manage", () => manager.streams.info(jobsStream))),
      Effect.map(({ created, state }) => ({ created, lastSequence: state.last_seq })),
    ),
  };
};

const storedJob = (id: string, revision: number, data: Uint8Array): StoredJob | undefined => {
  const job = decodeStoredJob(id, data);
  return job === undefined ? undefined : { job, revision };
};

const lastGoodBefore = Effect.fnUntraced(function* (connection: NatsConnection, id: string, revision: number) {
  const messages = yield* directGet(connection, {
    stream: jobsStream,
    sequence: 1,
    subject: jobSubject(id),
    messagesMax: jobHistory,
    bytesMax: jobHistory * 2 * jobBytesMax,
    timeoutMillis: answerMillisMax,
  }).pipe(Effect.mapError((cause) => new NatsError({ operation: "kv", detail: cause.detail, cause })));
  for (const { data, isRemoval, sequence } of messages.toReversed()) {
    if (sequence >= revision) continue;
    const good = storedJob(id, sequence, data);
    if (good !== undefined) return good;
    if (isRemoval === true) return undefined;
  }
  return undefined;
});

const wrongLastSequence = 10_071;

const isWrongSequence = ({ cause }: NatsError): boolean =>
  cause instanceof JetStreamApiError && cause.code === wrongLastSequence;
