import { assert, it } from "@effect/vitest";
import { Effect, Fiber, Layer, type Scope } from "effect";
import { describe, inject } from "vitest";
import { ContinuityWatch } from "../../src/actors/partition/continuity.ts";
import { Outbox, type OutboxPiece } from "../../src/actors/ports/outbox.ts";
import type { JobSet } from "../../src/actors/ports/jobs.ts";
import { makePair, type Pair } from "../../src/domain/partition.ts";
import type { OutboxOptions } from "../../src/streams/outbox.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { linesByPair, numbersByWriter, oneTo, readWholeLog } from "../support/nats-log.ts";
import { startSpawnedNats } from "../support/nats-spawned.ts";
import { describeNats } from "../support/nats-variants.ts";
import { observeWrites } from "../support/nats-write-observer.ts";
import { layerNats, layerOutboxFor, layerStores, pairsOf, pieceOf, prepareStreams, quiet, someJobs, until } from "../support/world.ts";

/** An outbox and its log; `outboxUrl` may lead through a proxy while the log is read directly. */
const withOutbox = <A, E>(
  options: { url: string; outboxUrl?: string; jobs: JobSet; partitions: number; limits?: Partial<OutboxOptions> },
  body: Effect.Effect<A, E, Scope.Scope | Outbox | Layer.Success<ReturnType<typeof layerStores>> | Layer.Success<ReturnType<typeof layerNats>>>,
) => {
  const outbox = layerOutboxFor(options.jobs, options.partitions, { publishAckMillisMax: 400, ...options.limits }).pipe(
    Layer.provide(layerNats(options.outboxUrl ?? options.url, "outbox")),
  );
  return prepareStreams(options.partitions).pipe(
    Effect.andThen(body.pipe(Effect.provide(outbox.pipe(Layer.provideMerge(layerStores()))))),
    Effect.provide(layerStores().pipe(Layer.provideMerge(layerNats(options.url)))),
    Effect.provide(quiet),
  );
};

const proxyTo = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => startFaultProxy(url)),
    (proxy) => Effect.promise(() => proxy[Symbol.asyncDispose]()),
  );

/** Numbered lines per pair, so that loss, repetition and disorder all show. */
class Lines {
  private readonly written = new Map<string, Array<string>>();

  next(pair: Pair, count: number, padding = 0): OutboxPiece {
    const own = this.written.get(pair.key) ?? [];
    this.written.set(pair.key, own);
    const lines = Array.from({ length: count }, (_, i) => `{"n":${own.length + i},"pair":"${pair.key}","x":"${"x".repeat(padding)}"}`);
    own.push(...lines);
    return pieceOf(pair, lines);
  }

  all() {
    return this.written;
  }
}

/** The log holds every line once, in order per pair, and the forwarder's running numbers are 1 to n. */
const assertExact = Effect.fnUntraced(function* (partitions: number, written: Lines) {
  const all = new Map<string, ReadonlyArray<string>>();
  for (let partition = 0; partition < partitions; partition++) {
    const messages = yield* readWholeLog(partition);
    for (const [pair, lines] of linesByPair(messages)) all.set(pair, lines);
    for (const numbers of numbersByWriter(messages).values()) assert.deepStrictEqual(numbers, oneTo(numbers.length));
    let before = 0;
    for (const { records, writer } of messages) {
      assert.strictEqual(writer?.recordsBefore, before);
      before += records;
    }
  }
  const sorted = (map: Iterable<readonly [string, ReadonlyArray<string>]>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
  assert.deepStrictEqual(sorted(all), sorted(written.all()));
});

/** Enough for a batch of plain chunks: three pairs, each too large to travel in a mux message. */
const largeRequest = (lines: Lines, pairs: ReadonlyArray<Pair>) => pairs.slice(0, 3).map((pair) => lines.next(pair, 150, 600));

describeNats("outbox", (startNats) => {
  it.live("has one write in flight per partition, and makes few messages of many small requests", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(40, 4);
      const pairs = pairsOf(jobs);
      const lines = new Lines();
      yield* withOutbox({ url, jobs, partitions: 4 }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        const seen = yield* observeWrites(url);
        const requests = Array.from({ length: 3_000 }, (_, i) => [lines.next(pairs[i % 40]!, 1), lines.next(pairs[(i * 7) % 40]!, 2)]);
        yield* Effect.forEach(requests, (pieces) => outbox.write(pieces, undefined), { concurrency: 300, discard: true });
        yield* assertExact(4, lines);
        assert.strictEqual(outbox.bytes(), 0);
        assert.strictEqual(seen.inFlightMax, 1);
        // The measure is able to see more than one.
        assert.isAbove(seen.inFlightMaxOverall, 1);
        assert.isBelow(seen.messages, 600);
      }));
    }),
  );

  it.live("stores once, in order, what it sends again because acknowledgements were lost", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* proxyTo(url);
      const jobs = someJobs(4, 1);
      const pairs = pairsOf(jobs);
      const lines = new Lines();
      yield* withOutbox({ url, outboxUrl: proxy.url, jobs, partitions: 1 }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        const seen = yield* observeWrites(url);
        for (const request of [() => [lines.next(pairs[0]!, 2)], () => largeRequest(lines, pairs), () => [lines.next(pairs[3]!, 1)]]) {
          proxy.set({ holdAnswers: true });
          const before = seen.answered;
          const writing = yield* Effect.forkChild(outbox.write(request(), undefined));
          // It has landed, and nobody has told the outbox, which sends it again: into the same silence.
          yield* until("stored and repeated", () => seen.answered >= before + 2);
          assert.isAbove(outbox.bytes(), 0);
          proxy.resetAll();
          proxy.set({ holdAnswers: false });
          yield* Fiber.join(writing);
        }
        yield* outbox.write([lines.next(pairs[0]!, 1)], undefined);
        assert.isAbove(seen.writes, 6);
        yield* assertExact(1, lines);
      }));
    }),
  );

  it.live("stores once, in order, what it sends again because acknowledgements came late", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* proxyTo(url);
      const jobs = someJobs(4, 1);
      const pairs = pairsOf(jobs);
      const lines = new Lines();
      yield* withOutbox({ url, outboxUrl: proxy.url, jobs, partitions: 1, limits: { publishAckMillisMax: 100 } }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        proxy.set({ latencyMillis: 130 });
        const requests = Array.from({ length: 12 }, (_, i) => (i % 4 === 3 ? largeRequest(lines, pairs) : [lines.next(pairs[i % 4]!, 3)]));
        const writing = yield* Effect.forkChild(
          Effect.forEach(requests, (pieces) => outbox.write(pieces, undefined), { concurrency: 6, discard: true }),
        );
        yield* Effect.sleep(1_500);
        proxy.set({ latencyMillis: 0 });
        yield* Fiber.join(writing);
        yield* assertExact(1, lines);
      }));
    }),
  );

  it.live("keeps what it has while the server is stopped, says so to whoever waits, and takes no more than its limit", () =>
    Effect.gen(function* () {
      const nats = yield* startNats();
      const jobs = someJobs(3, 1);
      const pairs = pairsOf(jobs);
      const lines = new Lines();
      const refused = new Lines();
      const limits = { requestAckMillisMax: 300, outboxBytesMax: 300_000 };
      yield* withOutbox({ url: nats.url, jobs, partitions: 1, limits }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        yield* outbox.write([lines.next(pairs[0]!, 1)], undefined);
        yield* Effect.promise(() => nats.pause());
        const first = yield* outbox.write([lines.next(pairs[0]!, 1)], undefined).pipe(Effect.flip);
        assert.strictEqual(first._tag, "AckTimeout");
        const second = yield* outbox.write(largeRequest(lines, pairs), undefined).pipe(Effect.flip);
        assert.strictEqual(second._tag, "AckTimeout");
        assert.isAbove(outbox.bytes(), 270_000);
        const third = yield* outbox.write(largeRequest(refused, pairs), undefined).pipe(Effect.flip);
        assert.strictEqual(third._tag, "OutboxFull");
        // What fits still gets in.
        const fourth = yield* outbox.write([lines.next(pairs[1]!, 1)], undefined).pipe(Effect.flip);
        assert.strictEqual(fourth._tag, "AckTimeout");
        yield* Effect.promise(() => nats.resume());
        yield* until("everything is stored", () => outbox.bytes() === 0);
        yield* assertExact(1, lines);
      }));
    }),
  );

  it.live("stores nothing new for a repeated key, and its reader misses nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(6, 2);
      const pairs = pairsOf(jobs);
      const lines = new Lines();
      const small = [lines.next(pairs[0]!, 3)];
      const large = largeRequest(lines, pairs.filter(({ partition }) => partition === pairs[0]!.partition));
      const spread = pairs.map((pair) => lines.next(pair, 2));
      const write = (limits?: Partial<OutboxOptions>) =>
        withOutbox({ url, jobs, partitions: 2, ...(limits === undefined ? {} : { limits }) }, Effect.gen(function* () {
          const outbox = yield* Outbox;
          yield* outbox.write(small, "small");
          yield* outbox.write(large, "large");
          yield* outbox.write(spread, "spread");
          // Before the next message says what is absent there are several of them.
          for (const [pieces, key] of [[small, "small"], [large, "large"], [spread, "spread"], [small, "small"]] as const) {
            yield* outbox.write(pieces, key);
          }
          yield* Effect.forEach(pairs, (pair) => outbox.write([lines.next(pair, 1)], undefined), { discard: true });
          assert.strictEqual(outbox.bytes(), 0);
          yield* assertStoredOnce(2, lines);
        }));
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
      const lines = new Lines();
      const pieces = Array.from({ length: 1_234 }, () => lines.next(pair!, 1));
      yield* withOutbox({ url, jobs, partitions: 1, limits: { chunkRecordsMax: 1, requestAckMillisMax: 5_000 } }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        yield* outbox.write(pieces, "key");
        yield* outbox.write(pieces, "key");
        yield* outbox.write([lines.next(pair!, 1)], undefined);
        assert.strictEqual(outbox.bytes(), 0);
        yield* assertStoredOnce(1, lines);
      }));
    }),
  );

  it.live("lets only pairs of the served push jobs into the log, whatever its caller believes", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(1, 1);
      const [pair] = pairsOf(jobs);
      yield* withOutbox({ url, jobs, partitions: 1 }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        const stranger = pieceOf(makePair("stranger", "http_requests", 1), ["{}"]);
        for (const pieces of [[stranger], [pieceOf(pair!, ["{}"]), stranger]]) {
          for (const key of [undefined, "key"]) {
            const refusal = yield* outbox.write(pieces, key).pipe(Effect.flip);
            assert.strictEqual(refusal._tag, "OutboxFull");
          }
        }
        assert.strictEqual(outbox.bytes(), 0);
        assert.deepStrictEqual(yield* readWholeLog(0), []);
      }));
    }),
  );
});

/** As `assertExact`, but running numbers may be absent where the next message says so. */
const assertStoredOnce = Effect.fnUntraced(function* (partitions: number, written: Lines) {
  const all = new Map<string, ReadonlyArray<string>>();
  for (let partition = 0; partition < partitions; partition++) {
    const messages = yield* readWholeLog(partition);
    for (const [pair, lines] of linesByPair(messages)) all.set(pair, lines);
    const watch = new ContinuityWatch({}, []);
    for (const { records, sequence, writer } of messages) assert.deepStrictEqual(watch.see(sequence, writer!, records), { _tag: "Next" });
  }
  for (const [pair, lines] of written.all()) assert.deepStrictEqual(all.get(pair), lines);
});

describe("outbox, spawned nats-server", () => {
  it.live("goes on after the server was killed and started again, and stores everything once, in order", () =>
    Effect.gen(function* () {
      const nats = yield* Effect.acquireRelease(
        Effect.promise(() => startSpawnedNats(inject("natsServer"))),
        (each) => Effect.promise(() => each[Symbol.asyncDispose]()),
      );
      const jobs = someJobs(6, 2);
      const pairs = pairsOf(jobs);
      const lines = new Lines();
      yield* withOutbox({ url: nats.url, jobs, partitions: 2 }, Effect.gen(function* () {
        const outbox = yield* Outbox;
        let written = 0;
        let stop = false;
        const produce = Effect.gen(function* () {
          for (let i = 0; !stop; i++) {
            yield* outbox.write(i % 5 === 0 ? largeRequest(lines, pairs) : [lines.next(pairs[i % 6]!, 2)], undefined);
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
        stop = true;
        yield* Fiber.join(producing);
        yield* assertExact(2, lines);
      }));
    }),
  );
});
