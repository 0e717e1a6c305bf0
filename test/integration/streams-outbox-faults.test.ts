import { assert, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import { describe, inject } from "vitest";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { assertExact, largeRequest, withOutbox } from "../support/nats-outbox.ts";
import { startSpawnedNats } from "../support/nats-spawned.ts";
import { describeNats } from "../support/nats-variants.ts";
import { observeWrites } from "../support/nats-write-observer.ts";
import { spansOf, pairsOf, someJobs, until } from "../support/world.ts";

describeNats("outbox under faults", (startNats) => {
  it.live("stores once, in order, what it sends again because acknowledgements were lost", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* Effect.acquireDisposable(Effect.promise(() => startFaultProxy(url)));
      const jobs = someJobs(4, 1);
      const pairs = pairsOf(jobs);
      const lines = new WrittenLines();
      yield* withOutbox(
        { url, outboxUrl: proxy.url, jobs, partitions: 1 },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          const seen = yield* observeWrites(url);
          for (const request of [
            () => [lines.next(pairs[0]!, 2)],
            () => largeRequest(lines, pairs),
            () => [lines.next(pairs[3]!, 1)],
          ]) {
            proxy.set({ holdAnswers: true });
            const before = seen.answered;
            const writing = yield* Effect.forkChild(outbox.write(spansOf(request()), undefined));
            // It has landed, and nobody has told the outbox, which sends it again: into the same silence.
            yield* until("stored and repeated", () => seen.answered >= before + 2);
            assert.isAbove(outbox.bytes(), 0);
            proxy.resetAll();
            proxy.set({ holdAnswers: false });
            yield* Fiber.join(writing);
          }
          yield* outbox.write(spansOf([lines.next(pairs[0]!, 1)]), undefined);
          assert.isAbove(seen.writes, 6);
          yield* assertExact(1, lines);
        }),
      );
    }),
  );

  it.live("stores once, in order, what it sends again because acknowledgements came late", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* Effect.acquireDisposable(Effect.promise(() => startFaultProxy(url)));
      const jobs = someJobs(4, 1);
      const pairs = pairsOf(jobs);
      const lines = new WrittenLines();
      yield* withOutbox(
        { url, outboxUrl: proxy.url, jobs, partitions: 1, limits: { publishAckMillisMax: 100 } },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          const seen = yield* observeWrites(url);
          proxy.set({ latencyMillis: 130 });
          const requests = Array.from({ length: 12 }, (_, i) =>
            i % 4 === 3 ? largeRequest(lines, pairs) : [lines.next(pairs[i % 4]!, 3)],
          );
          const writing = yield* Effect.forkChild(
            Effect.forEach(requests, (pieces) => outbox.write(spansOf(pieces), undefined), {
              concurrency: 6,
              discard: true,
            }),
          );
          yield* until("some were repeated", () => seen.answered >= 4);
          proxy.set({ latencyMillis: 0 });
          yield* Fiber.join(writing);
          yield* assertExact(1, lines);
        }),
      );
    }),
  );

  it.live(
    "keeps what it has while the server is stopped, says so to whoever waits, and takes no more than its limit",
    () =>
      Effect.gen(function* () {
        const nats = yield* startNats();
        const jobs = someJobs(3, 1);
        const pairs = pairsOf(jobs);
        const lines = new WrittenLines();
        const refused = new WrittenLines();
        const limits = { requestAckMillisMax: 300, outboxBytesMax: 300_000 };
        yield* withOutbox(
          { url: nats.url, jobs, partitions: 1, limits },
          Effect.gen(function* () {
            const outbox = yield* Outbox;
            yield* outbox.write(spansOf([lines.next(pairs[0]!, 1)]), undefined);
            yield* Effect.promise(() => nats.pause());
            const first = yield* outbox.write(spansOf([lines.next(pairs[0]!, 1)]), undefined).pipe(Effect.flip);
            assert.strictEqual(first._tag, "AckTimeout");
            const second = yield* outbox.write(spansOf(largeRequest(lines, pairs)), undefined).pipe(Effect.flip);
            assert.strictEqual(second._tag, "AckTimeout");
            assert.isAbove(outbox.bytes(), 270_000);
            const third = yield* outbox.write(spansOf(largeRequest(refused, pairs)), undefined).pipe(Effect.flip);
            assert.strictEqual(third._tag, "OutboxFull");
            // What fits still gets in.
            const fourth = yield* outbox.write(spansOf([lines.next(pairs[1]!, 1)]), undefined).pipe(Effect.flip);
            assert.strictEqual(fourth._tag, "AckTimeout");
            yield* Effect.promise(() => nats.resume());
            yield* until("everything is stored", () => outbox.bytes() === 0);
            yield* assertExact(1, lines);
          }),
        );
      }),
  );
});

describe("outbox under faults, spawned nats-server", () => {
  it.live("goes on after the server was killed and started again, and stores everything once, in order", () =>
    Effect.gen(function* () {
      const nats = yield* Effect.acquireDisposable(Effect.promise(() => startSpawnedNats(inject("natsServer"))));
      const jobs = someJobs(6, 2);
      const pairs = pairsOf(jobs);
      const lines = new WrittenLines();
      yield* withOutbox(
        { url: nats.url, jobs, partitions: 2 },
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          let written = 0;
          const producer = { on: true };
          const produce = Effect.gen(function* () {
            for (let i = 0; producer.on; i++) {
              yield* outbox.write(
                spansOf(i % 5 === 0 ? largeRequest(lines, pairs) : [lines.next(pairs[i % 6]!, 2)]),
                undefined,
              );
              written += 1;
            }
          });
          const producing = yield* Effect.forkChild(produce);
          for (const more of [20, 30]) {
            const target = written + more;
            yield* until(`${target} requests`, () => written >= target);
            yield* Effect.promise(() => nats.kill());
            yield* Effect.promise(() => nats.startAgain());
          }
          const target = written + 20;
          yield* until(`${target} requests`, () => written >= target);
          producer.on = false;
          yield* Fiber.join(producing);
          yield* assertExact(2, lines);
        }),
      );
    }),
  );
});
