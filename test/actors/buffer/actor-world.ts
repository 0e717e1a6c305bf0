import { Effect, Layer } from "effect";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { Buffer as JobBuffer, type BufferHost } from "../../../src/actors/buffer/buffer.ts";
import type { DeadLetterWriter } from "../../../src/actors/buffer/dead-letter-writer.ts";
import type { Receipt } from "../../../src/actors/ports/checkpoints.ts";
import type { Chunk } from "../../../src/actors/ports/log.ts";
import { Destinations, type OpenDestination, type PushRequest } from "../../../src/actors/ports/destinations.ts";
import { PushJobId } from "../../../src/domain/ids.ts";
import type { PushJob } from "../../../src/domain/push-job.ts";
import type { PushOutcome } from "../../../src/domain/push-outcome.ts";
import { DestinationHosts } from "../../../src/actors/destination-host/destination-hosts.ts";
import { hostLimits } from "../../support/host-limits.ts";
import { layerNoLetters } from "../../support/scripted-letters.ts";
import { jobTo } from "../../destinations/push-jobs.ts";

export const actorOptions = {
  retryBaseMillis: 100,
  retryMillisMax: 1_000,
  oldRevisionAttemptsMax: 2,
  suspendedProbeMillis: 10_000,
  unresolvedFailuresMax: 5,
  deadLettersInRowMax: 5,
  quarantineCrashesMax: 5,
  quarantineWindowMillis: 60_000,
};

export const chunk: Chunk = {
  pairKey: "customer-1.http_requests",
  records: 10,
  bytes: 30,
  encoding: "raw",
  data: Buffer.from("{}\n".repeat(10)),
  from: 0,
  to: 30,
};

const hostOf = (): BufferHost => ({
  bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 },
  partition: 0,
  isDuplicate: () => false,
  dirtied: () => {},
  addReceipt: (receipt) => void receipts.push(receipt),
  mayPush: () => true,
  position: () => 0,
  wantCheckpoint: () => {},
  wantSweep: () => {},
  watchDeadline: () => {},
});

/** What a buffer asked its partition to store. */
export const receipts: Array<Receipt> = [];

/** A buffer that closes a batch with every chunk, its first row written. */
export const started = Effect.fnUntraced(function* (id: string, over: Partial<PushJob> = {}) {
  const job = {
    ...jobTo({ kind: "http", url: "http://127.0.0.1:1/" }),
    id: PushJobId.make(id),
    batch: { maxBytes: 1_000_000, maxRecords: 10, maxIntervalSeconds: 30 },
    ...over,
  };
  const stored = { job, revision: 1 };
  const buffer = new JobBuffer(hostOf(), stored, stored, { row: undefined, start: 0 });
  yield* (yield* BufferActors).start(buffer, "incarnation", undefined, false);
  buffer.writeRow().landed();
  return buffer;
});

export const give = (buffer: JobBuffer, sequence: number): void => {
  buffer.count(sequence, 1_000, chunk);
  buffer.feed(sequence, 1_000, chunk);
};

export const actorsOver = (
  push: (request: PushRequest, job: string) => Effect.Effect<PushOutcome>,
  pushesInFlightMax = 8,
  letters: Layer.Layer<DeadLetterWriter> = layerNoLetters,
) =>
  BufferActors.layer(actorOptions).pipe(
    Layer.provide(DestinationHosts.layer({ ...hostLimits, pushesInFlightMax })),
    Layer.provide(letters),
    Layer.provide(
      Layer.succeed(Destinations, {
        open: (job) =>
          Effect.succeed<OpenDestination>({
            push: (request) => push(request, job.id),
            locate: () => "test",
            host: "test",
          }),
      }),
    ),
  );

/** A few turns: what is due in microtasks and forked fibers has run. */
export const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true });
