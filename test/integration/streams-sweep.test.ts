import { assert, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { Window } from "../../src/actors/buffer/window.ts";
import { Owner } from "../../src/actors/owner.ts";
import type { LogMessage } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { delivered } from "../../src/domain/push-outcome.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { readWholeLog } from "../support/nats-log.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  spansOf,
  layerNats,
  layerOutboxFor,
  layerOwner,
  layerStores,
  pairsOf,
  prepareStreams,
  quiet,
  ScriptedDestinations,
  someJobs,
  until,
} from "../support/world.ts";

const batch = { maxBytes: 1_000_000, maxRecords: 200, maxIntervalSeconds: 1 };

/** The batches that the log alone gives, for a job that never waits: `first-last` of each. */
const batchesOfLog = (messages: ReadonlyArray<LogMessage>, pairKey: string): ReadonlyArray<string> => {
  const window = new Window(
    batch,
    { bytesMax: Number.MAX_SAFE_INTEGER, closedBatchesMax: Number.MAX_SAFE_INTEGER },
    [],
  );
  for (const { chunks, millis, sequence } of messages) {
    window.advance(millis);
    for (const chunk of chunks) if (chunk.pairKey === pairKey) window.append(sequence, millis, chunk);
  }
  const batches: Array<string> = [];
  for (let head = window.settleHead(); head !== undefined; head = window.settleHead()) {
    batches.push(`${head.ref.first}-${head.ref.last}`);
  }
  return batches;
};

describeNats("sweep", (startNats) => {
  it.live("makes the batches that the log gives, however often a full window made it leave off", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(2, 1, { batch });
      const [slow, other] = pairsOf(jobs);
      const destinations = new ScriptedDestinations();
      destinations.answer = () => Effect.sleep(20).pipe(Effect.as(delivered(200)));
      const written = new WrittenLines();
      yield* Effect.gen(function* () {
        yield* prepareStreams(1);
        const outbox = yield* Outbox;
        // Three of these fit into a batch, so that most of the time one is open; then the log's time passes.
        for (let round = 0; round < 2; round++) {
          for (let i = 0; i < 25; i++) yield* outbox.write(spansOf([written.next(slow!, 60)]), undefined);
          yield* Effect.sleep(1_100);
          yield* outbox.write(spansOf([written.next(other!, 1)]), undefined);
        }
        const owner = layerOwner(jobs, 1, destinations, "me", { bufferClosedBatchesMax: 2 }).pipe(
          Layer.provide(layerNats(url, "me")),
        );
        yield* Effect.gen(function* () {
          yield* Owner;
          yield* until("everything is delivered", () => destinations.deliveredRecords() === written.records());
        }).pipe(Effect.provide(owner));
        const messages = yield* readWholeLog(0);
        for (const { job } of jobs.byId.values()) {
          const pushed = destinations.pushes
            .filter((push) => push.job === job.id)
            .map(({ batchId }) => batchId.split("_").at(-1)!);
          assert.deepStrictEqual(pushed, batchesOfLog(messages, `${job.customer}.${job.dataset}`));
        }
      }).pipe(
        Effect.provide(
          layerOutboxFor(jobs, 1).pipe(
            Layer.provideMerge(layerStores()),
            Layer.provideMerge(layerNats(url, "door")),
            Layer.provideMerge(quiet),
          ),
        ),
      );
    }),
  );
});
