/**
 * A process of its own: builds the data directory of a node with many push jobs. Arguments: data directory, jobs, URL
 * of the sink, nats-server.
 *
 * What is in it: one push job each in the bucket; one record of each job in the logs, written by the forwarder's own
 * outbox; one row each, written by the owner's own checkpoints, with books that say that it was delivered. What
 * did not happen is the delivery itself: a million pushes would take a quarter of an hour and leave nothing behind that
 * is not here.
 */
import { createInbox } from "@nats-io/transport-node";
import { Effect, Layer } from "effect";
import { Checkpoints, type Row } from "../../src/actors/ports/checkpoints.ts";
import { emptyJobSet, Jobs } from "../../src/actors/ports/jobs.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { firstRow } from "../../src/actors/residency/waiting-buffer.ts";
import { loadSettings } from "../../src/control/settings.ts";
import { emptyBooks } from "../../src/domain/books.ts";
import type { Limits } from "../../src/domain/limits.ts";
import type { Pair } from "../../src/domain/partition.ts";
import { layerCheckpoints, seedRegister } from "../../src/streams/checkpoint-store.ts";
import { openJobBucket } from "../../src/streams/job-bucket.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { layerLog } from "../../src/streams/log.ts";
import { Nats } from "../../src/streams/nats.ts";
import { layerOutbox } from "../../src/streams/outbox.ts";
import { fileStoreBytes, reconcileTopology } from "../../src/streams/topology.ts";
import { WriteHints } from "../../src/streams/write-hints.ts";
import { startBuildServer } from "./build-server.ts";
import { jobIdOf, jobOf, lineOf, pairOf, partitions } from "./workload.ts";

const [dataDirectory = "", jobsText = "", sinkUrl = "", binary = ""] = process.argv.slice(2);
const jobs = Number(jobsText);
const inFlightMax = 5_000;
const bodyRecords = 1_000;
const sliceRows = 9_990;
const answerMillis = 30_000;

/** Puts all jobs into the bucket, thousands at a time on their way. Answers each one's revision. */
const storeJobs = Effect.gen(function* () {
  const { connection } = yield* openJobBucket(1);
  return yield* Effect.promise(async () => {
    const revisions = new Float64Array(jobs);
    const inbox = createInbox();
    const progress = { sent: 0, stored: 0 };
    await new Promise<void>((resolve, reject) => {
      const send = () => {
        for (; progress.sent < jobs && progress.sent - progress.stored < inFlightMax; progress.sent++) {
          const data = encodeJob(jobOf(progress.sent, sinkUrl));
          connection.publish(`$KV.jobs.${jobIdOf(progress.sent)}`, data, { reply: `${inbox}.${progress.sent}` });
        }
      };
      connection.subscribe(`${inbox}.*`, {
        callback: (error, message) => {
          const answer = error === null ? message.json<{ seq?: number }>() : undefined;
          if (answer?.seq === undefined) return reject(new Error(`a job was not stored: ${JSON.stringify(answer)}`));
          revisions[Number(message.subject.slice(inbox.length + 1))] = answer.seq;
          progress.stored += 1;
          if (progress.stored === jobs) resolve();
          else send();
        },
      });
      send();
    });
    return revisions;
  });
});

/** One record of each customer, as the door hands them over. */
const storeRecords = Effect.gen(function* () {
  const outbox = yield* Outbox;
  for (let first = 0; first < jobs; first += bodyRecords) {
    const count = Math.min(bodyRecords, jobs - first);
    const lines = Array.from({ length: count }, (_, i) => lineOf(first + i, 0));
    const stops: Array<number> = [];
    let bytes = 0;
    for (const line of lines) stops.push((bytes += line.length));
    yield* outbox.write(
      {
        body: Buffer.from(lines.join(""), "latin1"),
        pairs: lines.map((_, i): Pair => pairOf(first + i)),
        starts: [0, ...stops.slice(0, -1)],
        stops,
        records: lines.map(() => 1),
        bytes,
      },
      undefined,
    );
  }
});

const rowOf = (number: number, revision: number, lastSequence: number, millis: number): Row => {
  const tally = { records: 1, bytes: lineOf(number, 0).length };
  const row = firstRow(jobIdOf(number), pairOf(number).key, revision, 0, emptyBooks);
  const books = { ...emptyBooks, accepted: tally, delivered: tally };
  return { ...row, books, cursor: lastSequence, counted: lastSequence, lastSuccessMillis: millis };
};

const storeRows = Effect.fnUntraced(function* (revisions: Float64Array) {
  const checkpoints = yield* Checkpoints;
  const log = yield* Log;
  const numbers = Array.from({ length: partitions }, (): Array<number> => []);
  for (let number = 0; number < jobs; number++) numbers[pairOf(number).partition]!.push(number);
  for (const [partition, own] of numbers.entries()) {
    const info = yield* log.describe(partition);
    const claim = yield* checkpoints.claim(partition, "density", info);
    const register = { ...claim.register, owner: null, scan: info.lastSequence, snapshot: jobs };
    for (let at = 0; at < own.length; at += sliceRows) {
      const slice = own.slice(at, at + sliceRows);
      const rows = slice.map((number) => rowOf(number, revisions[number]!, info.lastSequence, Date.now()));
      yield* claim.write({ register, rows, receipts: [] });
    }
  }
});

const build = (limits: Limits) =>
  Effect.gen(function* () {
    yield* reconcileTopology({ ...limits, partitions, replicas: 1 });
    const log = yield* Log;
    for (let partition = 0; partition < partitions; partition++) {
      yield* seedRegister(partition, yield* log.describe(partition), answerMillis);
    }
    const revisions = yield* storeJobs;
    yield* storeRecords;
    yield* storeRows(revisions);
  });

/** Whoever builds knows that each pair has its job: nobody is asked. */
const everybody = Layer.succeed(Jobs, {
  served: () => ({ ...emptyJobSet, number: jobs, pairs: { has: () => true } as unknown as Map<string, Pair> }),
  onChange: () => Effect.void,
  atRevision: () => Effect.undefined,
  absence: () => Effect.succeed("unknown" as const),
});

const main = Effect.gen(function* () {
  const { limits } = yield* loadSettings({ profile: "development", overrides: { dataDirectory } });
  const bytes = fileStoreBytes({ ...limits, partitions });
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => startBuildServer(binary, dataDirectory, bytes)),
    (running) => Effect.promise(() => running[Symbol.asyncDispose]()),
  );
  const stores = Layer.mergeAll(
    layerOutbox({ ...limits, partitions }).pipe(Layer.provide(everybody)),
    layerLog(limits),
    layerCheckpoints({ ...limits, timeoutMillis: answerMillis }),
  ).pipe(
    Layer.provideMerge(WriteHints.layer),
    Layer.provideMerge(Nats.layer({ servers: server.url, name: "density" })),
  );
  yield* build(limits).pipe(Effect.provide(stores));
});

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
await Effect.runPromise(Effect.scoped(main)).then(
  () => process.send?.({ built: jobs }),
  (error: unknown) =>
    process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);
process.disconnect?.();
