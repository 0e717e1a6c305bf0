import { Effect, Layer, References } from "effect";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { DestinationHosts } from "../../src/actors/destination-host/destination-hosts.ts";
import { BufferActors } from "../../src/actors/buffer/actor.ts";
import { Owner } from "../../src/actors/owner.ts";
import { hostLimits } from "./host-limits.ts";
import { layerNoLetters } from "./scripted-letters.ts";
import { Destinations, type PushRequest } from "../../src/actors/ports/destinations.ts";
import { Jobs, type JobSet } from "../../src/actors/ports/jobs.ts";
import { Log } from "../../src/actors/ports/log.ts";
import type { RecordSpans } from "../../src/actors/ports/outbox.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { makePair, type Pair } from "../../src/domain/partition.ts";
import { PushJob, type StoredJob } from "../../src/domain/push-job.ts";
import { delivered, type PushOutcome } from "../../src/domain/push-outcome.ts";
import { layerCheckpoints, seedRegister } from "../../src/streams/checkpoint-store.ts";
import { layerLog } from "../../src/streams/log.ts";
import { Nats } from "../../src/streams/nats.ts";
import { layerOutbox, type OutboxOptions } from "../../src/streams/outbox.ts";
import {
  type DeadLetterStreamOptions,
  reconcileDeadLetters,
  reconcileTopology,
  type TopologyOptions,
} from "../../src/streams/topology.ts";
import { WriteHints } from "../../src/streams/write-hints.ts";

/** What a node runs with. Tests lower single limits to reach them. */
export const limits: Limits = (
  JSON.parse(readFileSync(new URL("../../config/default.json", import.meta.url), "utf8")) as { limits: Limits }
).limits;

type AllStreams = TopologyOptions & DeadLetterStreamOptions;

export const topologyOf = (partitions: number, over: Partial<AllStreams> = {}): AllStreams => ({
  partitions,
  replicas: 1,
  logBytesMax: 268_435_456,
  logMaxAgeSeconds: limits.logMaxAgeSeconds,
  messageBytesMax: limits.messageBytesMax,
  deadLetterBytesMax: limits.deadLetterBytesMax,
  deadLetterAgeSecondsMax: limits.deadLetterAgeSecondsMax,
  ...over,
});

/** Log lines of the code under test only where a test asks for them. */
export const quiet = Layer.succeed(References.MinimumLogLevel, "None");

export const layerNats = (url: string, name = "test") => Nats.layer({ servers: url, name });

/** Log and checkpoints on the connections of `Nats`. */
export const layerStores = (over: Partial<Limits & { readonly timeoutMillis: number }> = {}) =>
  Layer.mergeAll(layerLog({ ...limits, ...over }), layerCheckpoints({ ...limits, timeoutMillis: 2_000, ...over })).pipe(
    Layer.provideMerge(WriteHints.layer),
  );

export const layerOutboxFor = (set: JobSet, partitions: number, over: Partial<OutboxOptions> = {}) =>
  layerOutbox({ ...limits, partitions, ...over }).pipe(Layer.provideMerge(layerJobsOf(set)));

/** Streams and first registers, as a node makes them before it serves. */
export const prepareStreams = Effect.fnUntraced(function* (partitions: number, over: Partial<AllStreams> = {}) {
  yield* reconcileTopology(topologyOf(partitions, over));
  yield* reconcileDeadLetters(topologyOf(partitions, over));
  const log = yield* Log;
  for (let partition = 0; partition < partitions; partition++) {
    yield* seedRegister(partition, yield* log.describe(partition), 2_000);
  }
});

// --- push jobs ---

export const storedJob = (id: string, customer: string, over: Partial<PushJob> = {}, revision = 1): StoredJob => ({
  revision,
  job: {
    ...PushJob.make({
      id: id as PushJob["id"],
      customer: customer as PushJob["customer"],
      dataset: "http_requests" as PushJob["dataset"],
      enabled: true,
      destination: { kind: "file", path: "/nowhere" },
      batch: { maxBytes: 1_000_000, maxRecords: 1_000, maxIntervalSeconds: 1 },
    }),
    ...over,
  },
});

export const jobSetOf = (jobs: ReadonlyArray<StoredJob>, partitions: number, number = 1): JobSet => {
  const pairOf = ({ job }: StoredJob) => makePair(job.customer, job.dataset, partitions);
  return {
    number,
    byId: new Map(jobs.map((stored) => [stored.job.id, stored])),
    pairs: new Map(jobs.filter(({ job }) => job.enabled).map((stored) => [pairOf(stored).key, pairOf(stored)])),
    byPair: Map.groupBy(jobs, (stored) => pairOf(stored).key),
  };
};

/** `count` customers with one job each. */
export const someJobs = (count: number, partitions: number, over: Partial<PushJob> = {}): JobSet =>
  jobSetOf(
    Array.from({ length: count }, (_, i) => storedJob(`job-${i}`, `customer-${i}`, over)),
    partitions,
  );

export const pairsOf = (set: JobSet): ReadonlyArray<Pair> => [...set.pairs.values()];

export const layerJobsOf = (set: JobSet) =>
  Layer.succeed(Jobs, {
    served: () => set,
    onChange: (adopt) => adopt(set),
    atRevision: () => Effect.succeed(undefined),
    absence: () => Effect.succeed("forgotten" as const),
  });

/** Records of one pair, newline-terminated. */
export interface Piece {
  readonly pair: Pair;
  readonly data: Buffer;
  readonly records: number;
}

export const pieceOf = (pair: Pair, lines: ReadonlyArray<string>): Piece => ({
  pair,
  data: Buffer.from(lines.map((line) => `${line}\n`).join("")),
  records: lines.length,
});

/** The pieces as one body, a span for each. */
export const spansOf = (pieces: ReadonlyArray<Piece>): RecordSpans => {
  const stops = pieces.reduce<Array<number>>((all, { data }) => [...all, (all.at(-1) ?? 0) + data.length], []);
  return {
    body: Buffer.concat(pieces.map(({ data }) => data)),
    pairs: pieces.map(({ pair }) => pair),
    starts: [0, ...stops.slice(0, -1)],
    stops,
    records: pieces.map(({ records }) => records),
    bytes: stops.at(-1) ?? 0,
  };
};

/** What the spans hold, each by itself and copied. */
export const piecesOf = ({ body, pairs, records, starts, stops }: RecordSpans): ReadonlyArray<Piece> =>
  pairs.map((pair, i) => ({ pair, records: records[i]!, data: Buffer.from(body.subarray(starts[i], stops[i])) }));

// --- destinations ---

export interface RecordedPush {
  readonly owner: string;
  readonly job: string;
  readonly batchId: string;
  /** Sequence of the batch's first message. */
  readonly first: number;
  readonly attempt: number;
  readonly records: number;
  /** Whether it says that it is a replay. */
  readonly replay: boolean;
  /** What the destination would store, inflated. */
  readonly content: string;
  /** What it answered; undefined as long as it did not, and when the push was interrupted. */
  outcome: PushOutcome["_tag"] | undefined;
}

/** Destinations that keep what arrives, whatever they answer, and answer as a test says. */
export class ScriptedDestinations {
  readonly pushes: Array<RecordedPush> = [];
  answer: (push: RecordedPush) => Effect.Effect<PushOutcome> = () => Effect.succeed(delivered(200));
  /** Jobs of one host share its circuit, so each has a host of its own unless a test is about sharing one. */
  hostOf: (job: string) => string = (job) => `host of ${job}`;

  /** @param owner told in what is recorded, so that several owners can share one set of destinations */
  layerFor(owner: string) {
    return Layer.succeed(Destinations, {
      open: ({ id }) =>
        Effect.succeed({
          host: this.hostOf(id),
          locate: ({ hex }) => hex,
          push: (request) =>
            Effect.suspend(() => {
              const push = arrived(owner, id, request);
              this.pushes.push(push);
              return Effect.tap(this.answer(push), ({ _tag }) =>
                Effect.sync(() => {
                  push.outcome = _tag;
                }),
              );
            }),
        }),
    });
  }

  delivered(): ReadonlyArray<RecordedPush> {
    return this.pushes.filter(({ outcome }) => outcome === "Delivered");
  }

  /** Records in batches that were answered with Delivered, each batch counted once. */
  deliveredRecords(): number {
    const once = new Map(this.delivered().map(({ batchId, records }) => [batchId, records]));
    return [...once.values()].reduce((sum, records) => sum + records, 0);
  }
}

const arrived = (owner: string, job: string, { attempt, batch, batchId, body, replay }: PushRequest): RecordedPush => ({
  owner,
  job,
  batchId,
  first: batch.first,
  attempt,
  records: batch.records,
  replay: replay === true,
  content: gunzipSync(Buffer.concat(body)).toString("utf8"),
  outcome: undefined,
});

/** An owner of all partitions; `Nats` is left open, so that each owner of a test can have connections of its own. */
export const layerOwner = (
  set: JobSet,
  partitions: number,
  destinations: ScriptedDestinations,
  owner: string,
  over: Partial<Limits> = {},
) => {
  const all = { ...limits, ...over };
  const bounds = { bytesMax: all.bufferWindowBytesMax, closedBatchesMax: all.bufferClosedBatchesMax };
  return Owner.layer({ ...all, partitions, owner, owns: true, bounds }).pipe(
    Layer.provide(
      BufferActors.layer(all).pipe(
        Layer.provide([
          destinations.layerFor(owner),
          DestinationHosts.layer({ ...all, ...hostLimits, ...over }),
          layerNoLetters,
        ]),
      ),
    ),
    Layer.provide(layerJobsOf(set)),
    Layer.provideMerge(layerStores(over)),
  );
};

/** Waits until `condition` holds; says what it waited for when it does not in time. */
export const until = Effect.fnUntraced(function* (
  what: string | (() => string),
  condition: () => boolean,
  millis = 15_000,
) {
  const deadline = performance.now() + millis;
  while (!condition() && performance.now() < deadline) yield* Effect.sleep(10);
  return yield* condition()
    ? Effect.void
    : Effect.die(new Error(`not in ${millis} ms: ${typeof what === "string" ? what : what()}`));
});
