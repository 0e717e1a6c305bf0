import { assert, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { randomBytes } from "node:crypto";
import { Owner } from "../../src/actors/owner.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { unexplained } from "../../src/domain/books.ts";
import { deferred, delivered } from "../../src/domain/push-outcome.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  layerNats,
  layerOutboxFor,
  layerOwner,
  layerStores,
  pairsOf,
  pieceOf,
  prepareStreams,
  quiet,
  ScriptedDestinations,
  someJobs,
  spansOf,
  until,
} from "../support/world.ts";

const jobCount = 40;
const jobs = someJobs(jobCount, 1, { batch: { maxBytes: 1_000_000, maxRecords: 100_000, maxIntervalSeconds: 60 } });
const windowBytesMax = 16_777_216;
/** One message is read, and dealt out, at a time. */
const messageBytesMax = 2_097_152;

describeNats("window budget", (startNats) => {
  it.live(
    "holds 16 MB however many destinations are down, and those that are not get everything",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startNats();
        const destinations = new ScriptedDestinations();
        let isDead = true;
        const isHealthy = (job: string): boolean => !isDead || job === "job-0";
        destinations.answer = ({ job }) =>
          Effect.succeed(isHealthy(job) ? delivered(200) : deferred("server-error", "dead", { status: 503 }));
        destinations.hostOf = (job) => (job === "job-0" ? "well" : "dead");
        yield* Effect.gen(function* () {
          yield* prepareStreams(1);
          const layer = layerOwner(jobs, 1, destinations, "me", {
            windowBytesMax,
            bufferWindowBytesMax: 8_388_608,
            retryBaseMillis: 100,
            retryMillisMax: 500,
          }).pipe(Layer.provide(layerNats(url, "me")), Layer.provideMerge(quiet));
          yield* Effect.gen(function* () {
            const owner = yield* Owner;
            const outbox = yield* Outbox;
            yield* until("the partition is owned", () => owner.owned().size === 1);
            let most = 0;
            yield* Effect.forkScoped(
              Effect.forever(
                Effect.suspend(() => {
                  most = Math.max(most, owner.windowBytes());
                  return Effect.sleep(1);
                }),
              ),
            );
            const allPairs = pairsOf(jobs);
            // 40 MB, one of them to each job, five jobs a request.
            const line = (): string => `{"x":"${randomBytes(1_500).toString("base64")}"}`;
            for (let i = 0; i < 4 * jobCount; i += 5) {
              const pairs = Array.from({ length: 5 }, (_, j) => allPairs[(i + j) % jobCount]!);
              const pieces = pairs.map((pair) => pieceOf(pair, Array.from({ length: 125 }, line)));
              yield* outbox.write(spansOf(pieces), undefined);
            }
            const state = owner.owned().get(0)!.state;
            yield* until("all is read", () => state.position >= 4 * jobCount, 60_000);
            assert.isAtMost(most, windowBytesMax + messageBytesMax);
            assert.isAbove(most, windowBytesMax / 4);
            const balanced = () => {
              for (const { jobId, ledger } of state.buffers.values()) {
                const books = ledger.books();
                assert.deepStrictEqual(unexplained(books), { records: 0, bytes: 0 }, jobId);
                assert.strictEqual(books.accepted.records, 4 * 125, jobId);
                assert.strictEqual(
                  books.delivered.records + books.pending.records,
                  4 * 125,
                  `${jobId}: nothing is lost`,
                );
              }
            };
            assert.strictEqual(state.buffers.size, jobCount);
            const neighbour = state.buffers.get("job-0")!;
            yield* until(
              "who is well has its batches meanwhile",
              () => neighbour.ledger.books().delivered.records >= 375,
              60_000,
            );
            assert.strictEqual(neighbour.ledger.books().delivered.records, 375);
            balanced();
            isDead = false;
            const records = () => destinations.deliveredRecords();
            // The fourth chunk does not fit into a batch of 1 MB; its own stays open for a minute.
            yield* until("whole batches are delivered", () => records() >= jobCount * 375, 60_000);
            assert.isAtMost(most, windowBytesMax + messageBytesMax);
            balanced();
          }).pipe(Effect.provide(layer), Effect.scoped);
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
    150_000,
  );
});
