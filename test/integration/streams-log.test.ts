import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { Effect, Exit, Fiber, Layer, type Scope } from "effect";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { directGet, type DirectGetRequest } from "../../src/streams/direct-get.ts";
import { Nats } from "../../src/streams/nats.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { linesByPair, oneTo, readWholeLog } from "../support/nats-log.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  spansOf,
  layerNats,
  layerOutboxFor,
  layerStores,
  pairsOf,
  pieceOf,
  prepareStreams,
  quiet,
  someJobs,
} from "../support/world.ts";

const jobs = someJobs(3, 1);
const [a, b] = pairsOf(jobs);
const readBytes = 4_194_304;

/** One partition with an outbox and a log; `readUrl` may lead through a proxy. */
const withLog = <A, E>(
  url: string,
  body: Effect.Effect<A, E, Scope.Scope | Outbox | Layer.Success<ReturnType<typeof layerStores>> | Nats>,
  limits: { readonly readMillisMax?: number; readonly readMessagesMax?: number } = {},
) =>
  prepareStreams(1).pipe(
    Effect.andThen(body),
    Effect.provide(
      layerOutboxFor(jobs, 1).pipe(
        Layer.provideMerge(layerStores(limits)),
        Layer.provideMerge(layerNats(url)),
        Layer.provideMerge(quiet),
      ),
    ),
  );

/** What does not compress, so that sizes in the log are known. */
const noise = (bytes: number) =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536))))
    .toString("hex")
    .slice(0, bytes);

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const start = performance.now();
    return Effect.map(effect, (value) => ({ value, millis: performance.now() - start }));
  });

const subscriptionsOf = (connection: NatsConnection): number =>
  (connection as unknown as { protocol: { subscriptions: { subs: Map<number, unknown> } } }).protocol.subscriptions.subs
    .size;

describeNats("log", (startNats) => {
  it.live("is empty at first, and gives back in sequence what was written, with JetStream's times", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withLog(
        url,
        Effect.gen(function* () {
          const log = yield* Log;
          const outbox = yield* Outbox;
          assert.deepStrictEqual(yield* log.read(0, 1, readBytes), []);
          const startMillis = yield* Effect.clockWith((clock) => clock.currentTimeMillis);
          for (let i = 0; i < 50; i++)
            yield* outbox.write(spansOf([pieceOf(i % 2 === 0 ? a! : b!, [`${i}`])]), undefined);
          const endMillis = yield* Effect.clockWith((clock) => clock.currentTimeMillis);
          const messages = yield* log.read(0, 1, readBytes);
          assert.deepStrictEqual(
            messages.map(({ sequence }) => sequence),
            oneTo(50),
          );
          const times = messages.map(({ millis }) => millis);
          assert.deepStrictEqual(
            times,
            times.toSorted((x, y) => x - y),
          );
          assert.isAtLeast(times[0]!, startMillis - 5);
          assert.isAtMost(times.at(-1)!, endMillis + 5);
          const even = Array.from({ length: 25 }, (_, i) => `${2 * i}`);
          assert.deepStrictEqual(linesByPair(messages).get(a!.key), even);
          assert.deepStrictEqual(
            (yield* log.read(0, 48, readBytes)).map(({ sequence }) => sequence),
            [48, 49, 50],
          );
          assert.deepStrictEqual(yield* log.read(0, 51, readBytes), []);
          const info = yield* log.describe(0);
          assert.deepInclude(info, { firstSequence: 1, lastSequence: 50 });
          assert.isFalse(Number.isNaN(Date.parse(info.incarnation)));
        }),
      );
    }),
  );

  it.live("puts ticks into the log as messages without a writer, and wakes whoever waits for a write", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withLog(
        url,
        Effect.gen(function* () {
          const log = yield* Log;
          const waiting = yield* Effect.forkChild(timed(log.waitForWrite(0, 10_000)));
          yield* Effect.yieldNow;
          yield* log.tick(0);
          assert.isBelow((yield* Fiber.join(waiting)).millis, 5_000);
          // A write that nobody waited for is remembered; without one the wait ends by itself.
          yield* log.tick(0);
          assert.isBelow((yield* timed(log.waitForWrite(0, 10_000))).millis, 5_000);
          assert.isAtLeast((yield* timed(log.waitForWrite(0, 50))).millis, 45);
          const messages = yield* log.read(0, 1, readBytes);
          assert.deepStrictEqual(
            messages.map(({ chunks, records, sequence, writer }) => ({ chunks, records, sequence, writer })),
            [1, 2].map((sequence) => ({ sequence, writer: undefined, records: 0, chunks: [] })),
          );
        }),
      );
    }),
  );

  it.live("gives the bytes asked for and not a message more, at most the messages asked for, and at least one", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withLog(
        url,
        Effect.gen(function* () {
          const log = yield* Log;
          const outbox = yield* Outbox;
          const record = Array.from({ length: 8 }, () => noise(12_500)).join("");
          for (let i = 0; i < 12; i++) yield* outbox.write(spansOf([pieceOf(a!, [record])]), undefined);
          const size = (yield* log.describe(0)).bytes / 12;
          // JetStream sends whole messages and ends after the one that passes the limit.
          assert.deepStrictEqual(
            (yield* log.read(0, 1, Math.floor(size * 2.5))).map(({ sequence }) => sequence),
            [1, 2, 3],
          );
          // Smaller than any message: the reader must get on all the same.
          assert.deepStrictEqual(
            (yield* log.read(0, 4, 1_000)).map(({ sequence }) => sequence),
            [4],
          );
          assert.strictEqual((yield* log.read(0, 1, readBytes)).length, 7);
          assert.strictEqual((yield* readWholeLog(0)).length, 12);
        }),
        { readMessagesMax: 7 },
      );
    }),
  );

  it.live("begins at the first message that is left when earlier ones are gone", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withLog(
        url,
        Effect.gen(function* () {
          const log = yield* Log;
          const { control } = yield* Nats;
          for (let i = 0; i < 9; i++) yield* log.tick(0);
          yield* Effect.promise(async () => (await jetstreamManager(control)).streams.purge("LOG_000", { seq: 6 }));
          assert.deepStrictEqual(
            (yield* log.read(0, 1, readBytes)).map(({ sequence }) => sequence),
            [6, 7, 8, 9],
          );
          assert.deepInclude(yield* log.describe(0), { firstSequence: 6, lastSequence: 9 });
        }),
      );
    }),
  );

  it.live("reads past a damaged message: it is one without chunks", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withLog(
        url,
        Effect.gen(function* () {
          const log = yield* Log;
          const outbox = yield* Outbox;
          const { publish } = yield* Nats;
          yield* outbox.write(spansOf([pieceOf(a!, ["before"])]), undefined);
          for (const subject of ["log.000._mux", `log.000.${a!.key}`]) {
            yield* Effect.promise(() => publish.request(subject, crypto.getRandomValues(new Uint8Array(200))));
          }
          yield* outbox.write(spansOf([pieceOf(a!, ["after"])]), undefined);
          const messages = yield* log.read(0, 1, readBytes);
          assert.deepStrictEqual(
            messages.map(({ chunks }) => chunks.length),
            [1, 0, 0, 1],
          );
          assert.deepStrictEqual(linesByPair(messages).get(a!.key), ["before", "after"]);
        }),
      );
    }),
  );

  it.live("says in time that the server does not answer, and leaves no subscription behind", () =>
    Effect.gen(function* () {
      const nats = yield* startNats();
      yield* withLog(
        nats.url,
        Effect.gen(function* () {
          const log = yield* Log;
          const { read } = yield* Nats;
          yield* log.tick(0);
          const before = subscriptionsOf(read);
          yield* Effect.forEach(oneTo(500), (i) => log.read(0, (i % 3) + 1, readBytes), {
            concurrency: 10,
            discard: true,
          });
          assert.strictEqual(subscriptionsOf(read), before);
          yield* Effect.promise(() => nats.pause());
          const { millis, value } = yield* timed(Effect.exit(log.read(0, 1, readBytes)));
          assert.isTrue(Exit.isFailure(value));
          assert.isTrue(millis > 390 && millis < 1_500, `${millis}`);
          const interrupted = yield* Effect.forkChild(log.read(0, 1, readBytes));
          yield* Effect.yieldNow;
          // The measure sees a subscription that is there.
          assert.strictEqual(subscriptionsOf(read), before + 1);
          yield* Fiber.interrupt(interrupted);
          assert.strictEqual(subscriptionsOf(read), before);
          yield* Effect.promise(() => nats.resume());
          assert.strictEqual((yield* log.read(0, 1, readBytes)).length, 1);
        }),
        { readMillisMax: 400 },
      );
    }),
  );

  it.live("uses nothing of an answer that breaks off", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* Effect.acquireDisposable(Effect.promise(() => startFaultProxy(url)));
      yield* withLog(
        url,
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          const record = Array.from({ length: 8 }, () => noise(60_000)).join("");
          for (let i = 0; i < 6; i++) yield* outbox.write(spansOf([pieceOf(a!, [record])]), undefined);
          const all: DirectGetRequest = {
            stream: "LOG_000",
            sequence: 1,
            messagesMax: 100,
            bytesMax: 8_388_608,
            timeoutMillis: 600,
          };
          yield* Effect.gen(function* () {
            const { read } = yield* Nats;
            const whole = yield* directGet(read, all);
            assert.strictEqual(whole.length, 6);
            proxy.set({ resetAfterBytes: whole.reduce((sum, { data }) => sum + data.length, 0) + 300_000 });
            const broken = yield* directGet(read, all).pipe(Effect.flip);
            assert.match(broken.detail, /no answer in 600 ms/);
            proxy.set({ resetAfterBytes: Number.POSITIVE_INFINITY });
            yield* Effect.promise(() => read.flush());
            assert.strictEqual((yield* directGet(read, all)).length, 6);
          }).pipe(Effect.provide(layerNats(proxy.url)));
        }),
      );
    }),
  );
});
