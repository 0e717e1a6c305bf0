import { assert, it } from "@effect/vitest";
import { Effect, Fiber, Layer } from "effect";
import * as fc from "fast-check";
import { Owner } from "../../src/actors/owner.ts";
import { Checkpoints } from "../../src/actors/ports/checkpoints.ts";
import type { JobSet } from "../../src/actors/ports/jobs.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { unexplained } from "../../src/domain/books.ts";
import { deferred, delivered } from "../../src/domain/push-outcome.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { linesOf } from "../support/nats-log.ts";
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

const partitions = 2;

/** An owner with connections of its own, as a node has them. */
const ownerAt = (
  url: string,
  jobs: JobSet,
  destinations: ScriptedDestinations,
  owner = "me",
  over: Parameters<typeof layerOwner>[4] = {},
) =>
  layerOwner(jobs, partitions, destinations, owner, { retryBaseMillis: 10, retryMillisMax: 100, ...over }).pipe(
    Layer.provide(layerNats(url, owner)),
    Layer.provideMerge(quiet),
  );

/** Streams, and an outbox that no owner's fate concerns. */
const layerDoor = (url: string, jobs: JobSet) =>
  layerOutboxFor(jobs, partitions).pipe(
    Layer.provideMerge(layerStores()),
    Layer.provideMerge(layerNats(url, "door")),
    Layer.provideMerge(quiet),
  );

/**
 * What arrived, whatever was answered: batches of one id hold identical bytes, and the batches of a job, each taken
 * once, hold each of its records once and in order.
 */
const assertExactlyOnceById = (
  destinations: ScriptedDestinations,
  jobs: JobSet,
  written: WrittenLines,
  seed?: number,
) => {
  const told = seed === undefined ? "" : `seed ${seed}: `;
  const byId = Map.groupBy(destinations.pushes, ({ batchId }) => batchId);
  for (const [id, pushes] of byId) {
    for (const { content } of pushes) assert.strictEqual(content, pushes[0]!.content, `${told}${id}`);
  }
  const once = [...byId.values()].map(([push]) => push!).toSorted((a, b) => a.first - b.first);
  for (const { job } of jobs.byId.values()) {
    const lines = once.filter((push) => push.job === job.id).flatMap(({ content }) => linesOf(Buffer.from(content)));
    assert.deepStrictEqual(lines, written.all().get(`${job.customer}.${job.dataset}`), `${told}${job.id}`);
  }
  for (const { content, records } of once) assert.strictEqual(linesOf(Buffer.from(content)).length, records);
};

/** Requests of random pairs, small and large, until told to stop. */
const produce = Effect.fnUntraced(function* (jobs: JobSet, written: WrittenLines, stop: () => boolean) {
  const outbox = yield* Outbox;
  const pairs = pairsOf(jobs);
  for (let i = 0; !stop(); i++) {
    yield* outbox.write(
      spansOf([written.next(pairs[i % pairs.length]!, 1 + (i % 40)), written.next(pairs[(i * 5) % pairs.length]!, 3)]),
      undefined,
    );
    if (i % 10 === 0) yield* Effect.sleep(5);
  }
});

describeNats("owner", (startNats) => {
  it.live("delivers what is written: every record once, in order, and the books balance", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const jobs = someJobs(8, partitions);
      const destinations = new ScriptedDestinations();
      const written = new WrittenLines();
      yield* Effect.gen(function* () {
        yield* prepareStreams(partitions);
        const outbox = yield* Outbox;
        yield* Effect.gen(function* () {
          const owner = yield* Owner;
          yield* until("all partitions are owned", () => owner.owned().size === partitions);
          for (const pair of pairsOf(jobs)) {
            yield* outbox.write(
              spansOf([written.next(pair, 700), written.next(pair, 700), written.next(pair, 5)]),
              undefined,
            );
          }
          yield* until("everything is delivered", () => destinations.deliveredRecords() === written.records());
          const books = [...owner.owned().values()].flatMap(({ state }) =>
            [...state.buffers.values()].map(({ ledger }) => ledger.books()),
          );
          assert.strictEqual(books.length, 8);
          yield* until("everything is settled", () => books.length === 8 && pendingOf(owner) === 0);
          for (const { state } of owner.owned().values()) {
            for (const { ledger } of state.buffers.values()) {
              const book = ledger.books();
              assert.deepStrictEqual(unexplained(book), { records: 0, bytes: 0 });
              assert.strictEqual(book.delivered.records, 1_405);
            }
          }
          yield* owner.drain;
          // An orderly end says that nobody holds the partition any more.
          const stored = yield* Effect.forEach(
            [0, 1],
            Effect.fnUntraced(function* (partition) {
              return yield* (yield* Checkpoints).inspect(partition);
            }),
          );
          assert.deepStrictEqual(
            stored.map(({ register }) => register?.owner),
            [null, null],
          );
          for (const row of stored.flatMap(({ rows }) => rows)) assert.strictEqual(row.books.delivered.records, 1_405);
        }).pipe(Effect.provide(ownerAt(url, jobs, destinations)));
        assertExactlyOnceById(destinations, jobs, written);
        assert.strictEqual(destinations.pushes.length, destinations.delivered().length);
      }).pipe(Effect.provide(layerDoor(url, jobs)));
    }),
  );

  it.live("delivers a backlog that does not fit into memory, once its destination takes it", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const batch = { maxBytes: 200_000, maxRecords: 1_000, maxIntervalSeconds: 1 };
      const jobs = someJobs(4, partitions, { batch });
      const destinations = new ScriptedDestinations();
      const written = new WrittenLines();
      let isDown = true;
      destinations.answer = ({ job }) =>
        Effect.succeed(isDown && job !== "job-0" ? deferred("server-error", "down", { status: 503 }) : delivered(200));
      yield* Effect.gen(function* () {
        yield* prepareStreams(partitions);
        const outbox = yield* Outbox;
        yield* Effect.gen(function* () {
          const owner = yield* Owner;
          for (let round = 0; round < 10; round++) {
            yield* Effect.forEach(
              pairsOf(jobs),
              (pair) => outbox.write(spansOf([written.next(pair, 300, 1_000)]), undefined),
              {
                concurrency: 4,
              },
            );
          }
          const healthy = () =>
            destinations
              .delivered()
              .filter(({ job }) => job === "job-0")
              .reduce((sum, { records }) => sum + records, 0);
          yield* until("the healthy one has everything", () => healthy() === 3_000);
          assert.isBelow(owner.windowBytes(), 4 * 1_000_000);
          assert.strictEqual(destinations.deliveredRecords(), 3_000);
          isDown = false;
          yield* until("the others have everything", () => destinations.deliveredRecords() === written.records());
        }).pipe(
          Effect.provide(
            ownerAt(url, jobs, destinations, "me", { bufferWindowBytesMax: 500_000, readBytesMax: 400_000 }),
          ),
        );
        assertExactlyOnceById(destinations, jobs, written);
      }).pipe(Effect.provide(layerDoor(url, jobs)));
    }),
  );

  it.live(
    "goes on after owners that broke off at any moment: the same batches, bytes and all, under the same ids",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startNats();
        const batch = { maxBytes: 20_000, maxRecords: 200, maxIntervalSeconds: 1 };
        const jobs = someJobs(8, partitions, { batch });
        const destinations = new ScriptedDestinations();
        const written = new WrittenLines();
        const seed = Number(process.env["SEED"] ?? crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000);
        const lives = fc.sample(fc.integer({ min: 50, max: 900 }), { numRuns: 6, seed });
        let pushes = 0;
        // Every third batch is stored and not acknowledged, as when an answer is lost.
        destinations.answer = () =>
          Effect.sleep(5 + (pushes % 20)).pipe(
            Effect.as(pushes++ % 3 === 0 ? deferred("timeout", "no answer", { ambiguous: true }) : delivered(200)),
          );
        yield* Effect.gen(function* () {
          yield* prepareStreams(partitions);
          let stop = false;
          const producing = yield* Effect.forkChild(produce(jobs, written, () => stop));
          for (const millis of lives) {
            yield* Effect.sleep(millis).pipe(Effect.provide(ownerAt(url, jobs, destinations)));
          }
          stop = true;
          yield* Fiber.join(producing);
          yield* until(
            `everything is delivered (seed ${seed})`,
            () => destinations.deliveredRecords() === written.records(),
          ).pipe(Effect.provide(ownerAt(url, jobs, destinations)));
          assertExactlyOnceById(destinations, jobs, written, seed);
          // The test has tested something: batches were pushed again by another owner than the first.
          assert.isAbove(destinations.pushes.length, new Set(destinations.pushes.map(({ batchId }) => batchId)).size);
        }).pipe(Effect.provide(layerDoor(url, jobs)));
      }),
  );

  it.live("is fenced when another owner took over while it was cut off, and changes nothing afterwards", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* Effect.acquireDisposable(Effect.promise(() => startFaultProxy(url)));
      const jobs = someJobs(6, partitions, { batch: { maxBytes: 20_000, maxRecords: 200, maxIntervalSeconds: 1 } });
      const destinations = new ScriptedDestinations();
      const written = new WrittenLines();
      yield* Effect.gen(function* () {
        yield* prepareStreams(partitions);
        const checkpoints = yield* Checkpoints;
        const registers = Effect.forEach([0, 1], (partition) =>
          Effect.map(checkpoints.inspect(partition), ({ register }) => register!),
        );
        let stop = false;
        const producing = yield* Effect.forkChild(produce(jobs, written, () => stop));
        const older = yield* Layer.build(ownerAt(proxy.url, jobs, destinations, "older"));
        const olderOwner = yield* Owner.pipe(Effect.provide(older));
        yield* until(
          "the older owns and delivers",
          () => olderOwner.owned().size === partitions && destinations.delivered().length > 10,
        );
        proxy.set({ holdAll: true });
        const newer = yield* Layer.build(ownerAt(url, jobs, destinations, "newer"));
        const newerOwner = yield* Owner.pipe(Effect.provide(newer));
        yield* until(
          "the newer took over and delivers",
          () => newerOwner.owned().size === partitions && byOwner(destinations, "newer") > 10,
        );
        const taken = yield* registers;
        assert.deepStrictEqual(
          taken.map(({ owner }) => owner),
          ["newer", "newer"],
        );
        // The older believes in itself until its next checkpoint is refused.
        assert.strictEqual(olderOwner.owned().size, partitions);
        proxy.set({ holdAll: false });
        yield* until("the older is fenced", () => olderOwner.owned().size === 0);
        const pushedByOlder = destinations.pushes.filter(({ owner }) => owner === "older").length;
        stop = true;
        yield* Fiber.join(producing);
        yield* until("everything is delivered", () => destinations.deliveredRecords() === written.records());
        for (const [i, register] of (yield* registers).entries()) {
          assert.deepInclude(register, { owner: "newer", epoch: taken[i]!.epoch });
          assert.isAtLeast(register.scan, taken[i]!.scan);
        }
        assert.strictEqual(destinations.pushes.filter(({ owner }) => owner === "older").length, pushedByOlder);
        assertExactlyOnceById(destinations, jobs, written);
      }).pipe(Effect.provide(layerDoor(url, jobs)));
    }),
  );
});

const byOwner = (destinations: ScriptedDestinations, name: string) =>
  destinations.delivered().filter(({ owner }) => owner === name).length;

const pendingOf = (owner: Owner["Service"]): number =>
  [...owner.owned().values()]
    .flatMap(({ state }) => [...state.buffers.values()])
    .reduce((sum, { ledger }) => sum + ledger.pendingRecords, 0);
