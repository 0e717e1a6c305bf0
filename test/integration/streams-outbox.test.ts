import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { DrillFaults } from "../../src/actors/ports/drill-faults.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { makePair } from "../../src/domain/partition.ts";
import type { OutboxOptions } from "../../src/streams/outbox.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { readWholeLog } from "../support/nats-log.ts";
import { assertExact, assertStoredOnce, largeRequest, withOutbox } from "../support/nats-outbox.ts";
import { describeNats } from "../support/nats-variants.ts";
import { observeWrites } from "../support/nats-write-observer.ts";
import { spansOf, pairsOf, pieceOf, someJobs } from "../support/world.ts";

describeNats("outbox", (startNats) => {
  it.live("has one write in flight per partition, and makes few messages of many small requests", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(40, 4);
      const pairs = pairsOf(jobs);
      const lines = new WrittenLines();
      yield* withOutbox(
        { url, jobs, partitions: 4 },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          const seen = yield* observeWrites(url);
          const requests = Array.from({ length: 3_000 }, (_, i) => [
            lines.next(pairs[i % 40]!, 1),
            lines.next(pairs[(i * 7) % 40]!, 2),
          ]);
          yield* Effect.forEach(requests, (pieces) => outbox.write(spansOf(pieces), undefined), {
            concurrency: 300,
            discard: true,
          });
          yield* assertExact(4, lines);
          assert.strictEqual(outbox.bytes(), 0);
          assert.strictEqual(seen.inFlightMax, 1);
          // The measure is able to see more than one.
          assert.isAbove(seen.inFlightMaxOverall, 1);
          assert.isBelow(seen.messages, 600);
        }),
      );
    }),
  );

  it.live("stores nothing new for a repeated key, and its reader misses nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(6, 2);
      const pairs = pairsOf(jobs);
      const lines = new WrittenLines();
      const small = [lines.next(pairs[0]!, 3)];
      const large = largeRequest(
        lines,
        pairs.filter(({ partition }) => partition === pairs[0]!.partition),
      );
      const spread = pairs.map((pair) => lines.next(pair, 2));
      const write = (limits?: Partial<OutboxOptions>) =>
        withOutbox(
          { url, jobs, partitions: 2, ...(limits === undefined ? {} : { limits }) },
          Effect.gen(function* () {
            const outbox = yield* Outbox;
            yield* outbox.write(spansOf(small), "small");
            yield* outbox.write(spansOf(large), "large");
            yield* outbox.write(spansOf(spread), "spread");
            // Before the next message says what is absent there are several of them.
            for (const [pieces, key] of [
              [small, "small"],
              [large, "large"],
              [spread, "spread"],
              [small, "small"],
            ] as const) {
              yield* outbox.write(spansOf(pieces), key);
            }
            yield* Effect.forEach(pairs, (pair) => outbox.write(spansOf([lines.next(pair, 1)]), undefined), {
              discard: true,
            });
            assert.strictEqual(outbox.bytes(), 0);
            yield* assertStoredOnce(2, lines);
          }),
        );
      yield* write();
      // Another process, as after a restart: the same keys are known to the log.
      yield* write();
    }),
  );

  it.live("writes all of a keyed request that needs more messages than one atomic batch takes", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(1, 1);
      const [pair] = pairsOf(jobs);
      const lines = new WrittenLines();
      const pieces = Array.from({ length: 1_234 }, () => lines.next(pair!, 1));
      yield* withOutbox(
        { url, jobs, partitions: 1, limits: { chunkRecordsMax: 1, requestAckMillisMax: 5_000 } },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          yield* outbox.write(spansOf(pieces), "key");
          yield* outbox.write(spansOf(pieces), "key");
          yield* outbox.write(spansOf([lines.next(pair!, 1)]), undefined);
          assert.strictEqual(outbox.bytes(), 0);
          yield* assertStoredOnce(1, lines);
        }),
      );
    }),
  );

  it.live("lets only pairs of the served push jobs into the log, whatever its caller believes", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(1, 1);
      const [pair] = pairsOf(jobs);
      yield* withOutbox(
        { url, jobs, partitions: 1 },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          const stranger = pieceOf(makePair("stranger", "http_requests", 1), ["{}"]);
          for (const pieces of [[stranger], [pieceOf(pair!, ["{}"]), stranger]]) {
            for (const key of [undefined, "key"]) {
              const refusal = yield* outbox.write(spansOf(pieces), key).pipe(Effect.flip);
              assert.strictEqual(refusal._tag, "NotServed");
            }
          }
          assert.strictEqual(outbox.bytes(), 0);
          assert.deepStrictEqual(yield* readWholeLog(0), []);
        }),
      );
    }),
  );

  it.live("lets everything into the log while a drill has switched that check off", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withOutbox(
        { url, jobs: someJobs(1, 1), partitions: 1 },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          yield* outbox.write(spansOf([pieceOf(makePair("stranger", "http_requests", 1), ["{}"])]), undefined);
          const [message] = yield* readWholeLog(0);
          assert.strictEqual(message?.chunks[0]?.pairKey, "stranger.http_requests");
        }),
      ).pipe(Effect.provideService(DrillFaults, { isArmed: () => false, isGuardOn: (name) => name !== "outboxGate" }));
    }),
  );
});
