import { assert, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { randomBytes } from "node:crypto";
import { Owner } from "../../src/actors/owner.ts";
import { Checkpoints } from "../../src/actors/ports/checkpoints.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import type { JobSet } from "../../src/actors/ports/jobs.ts";
import { unexplained } from "../../src/domain/books.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { deferred, delivered } from "../../src/domain/push-outcome.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  layerNats,
  layerOutboxFor,
  layerOwner,
  layerStores,
  type Piece,
  pairsOf,
  pieceOf,
  prepareStreams,
  quiet,
  ScriptedDestinations,
  someJobs,
  spansOf,
  until,
} from "../support/world.ts";

const batch = { maxBytes: 1_000_000, maxRecords: 1_000, maxIntervalSeconds: 1 };
const jobs = someJobs(2, 1, { batch });
const [deadPair, otherPair] = pairsOf(jobs);

/** Records that do not compress, so that what is written is about what the log holds. */
const noise = (pair: Piece["pair"], records: number): Piece =>
  pieceOf(
    pair,
    Array.from({ length: records }, () => `{"x":"${randomBytes(375).toString("base64")}"}`),
  );

/** An owner for as long as it is used. */
const owning = <A, E>(
  url: string,
  set: JobSet,
  limits: Partial<Limits>,
  destinations: ScriptedDestinations,
  use: (owner: Owner["Service"]) => Effect.Effect<A, E, Outbox | Checkpoints | Log>,
) =>
  Effect.gen(function* () {
    const owner = yield* Owner;
    yield* until("the partition is owned", () => owner.owned().size === 1);
    yield* use(owner);
  }).pipe(
    Effect.provide(
      layerOwner(set, 1, destinations, "me", { retryBaseMillis: 50, retryMillisMax: 200, ...limits }).pipe(
        Layer.provide(layerNats(url, "me")),
        Layer.provideMerge(quiet),
      ),
    ),
  );

/** One partition with streams of these limits, a door, and an owner whose job-0 has a destination as told. */
const world = <A, E>(
  url: string,
  limits: Partial<Limits>,
  destinations: ScriptedDestinations,
  use: (owner: Owner["Service"]) => Effect.Effect<A, E, Outbox | Checkpoints | Log>,
) => withStreams(url, jobs, limits, owning(url, jobs, limits, destinations, use));

const withStreams = <A, E>(
  url: string,
  set: JobSet,
  { logBytesMax }: Partial<Limits>,
  use: Effect.Effect<A, E, Outbox | Checkpoints | Log>,
) =>
  // The age is the owner's alone: a stream that keeps nothing for its duplicate window (two minutes) there cannot be.
  prepareStreams(1, logBytesMax === undefined ? {} : { logBytesMax }).pipe(
    Effect.andThen(use),
    Effect.provide(
      layerOutboxFor(set, 1).pipe(
        Layer.provideMerge(layerStores()),
        Layer.provideMerge(layerNats(url, "door")),
        Layer.provideMerge(quiet),
      ),
    ),
  );

const bufferOf = (owner: Owner["Service"], job: string) => owner.owned().get(0)!.state.buffers.get(job)!;

const booksOf = (owner: Owner["Service"], job: string) => bufferOf(owner, job).ledger.books();

/** Where a buffer has got to, for whoever waited in vain. */
const standing = (owner: Owner["Service"], job: string): string => {
  const { actor, cursor, fedTo, ledger, live, missedTo } = bufferOf(owner, job);
  const { position } = owner.owned().get(0)!.state;
  const at = { position, cursor, live, fedTo, missedTo };
  return JSON.stringify({ ...at, delivery: actor?.delivery(), flow: actor?.flow(), books: ledger.books() });
};

/** Every record ended in one account, and the stored receipts say the same as the stored books. */
const assertAccounted = Effect.fnUntraced(function* (owner: Owner["Service"], job: string) {
  const books = booksOf(owner, job);
  assert.deepStrictEqual(unexplained(books), { records: 0, bytes: 0 });
  yield* owner.drain;
  const { receipts, rows } = yield* (yield* Checkpoints).inspect(0);
  const row = rows.find((each) => each.job === job)!;
  assert.deepStrictEqual(unexplained(row.books), { records: 0, bytes: 0 });
  const told = receipts.filter((receipt) => receipt.job === job && receipt.reason === "expired");
  const sum = (unit: "records" | "bytes") => told.reduce((total, receipt) => total + receipt[unit], 0);
  assert.deepStrictEqual({ records: sum("records"), bytes: sum("bytes") }, row.books.expired);
  // What was lost unread may lie amid what was lost later; nobody knows its bytes.
  for (const same of [told.filter(({ bytes }) => bytes > 0), told.filter(({ bytes }) => bytes === 0)]) {
    const ranges = same.toSorted((a, b) => a.firstSequence - b.firstSequence);
    for (const [i, { firstSequence }] of ranges.entries()) {
      if (i > 0) assert.isAbove(firstSequence, ranges[i - 1]!.lastSequence, "no record is told of twice");
    }
  }
  return row.books;
});

describeNats("expiry", (startNats) => {
  it.live("gives up, with receipts, what a dead destination leaves until retention is over; then goes on", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const destinations = new ScriptedDestinations();
      let isDead = true;
      destinations.answer = ({ job }) =>
        Effect.succeed(isDead && job === "job-0" ? deferred("server-error", "dead", { status: 503 }) : delivered(200));
      yield* world(url, { logMaxAgeSeconds: 8 }, destinations, (owner) =>
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          for (let i = 0; i < 40; i++) {
            yield* outbox.write(spansOf([noise(deadPair!, 5), noise(otherPair!, 3)]), undefined);
            yield* Effect.sleep(50);
          }
          yield* until("all of it has expired", () => booksOf(owner, "job-0").expired.records === 200, 20_000);
          // By ourselves, with the bytes that only the log can tell, not by what was missing in it.
          assert.isAbove(booksOf(owner, "job-0").expired.bytes, 200 * 500);
          isDead = false;
          yield* outbox.write(spansOf([noise(deadPair!, 7)]), undefined);
          yield* until("the next is delivered", () => booksOf(owner, "job-0").delivered.records === 7);
          assert.strictEqual(booksOf(owner, "job-1").delivered.records, 120);
          const books = yield* assertAccounted(owner, "job-0");
          assert.strictEqual(books.accepted.records, 207);
        }),
      );
    }),
  );

  // Faster than the owner can look after so small a log, with the books exact all the same; and not faster.
  for (const [how, writes, spacingMillis] of [
    ["so fast that JetStream may be first", 400, 15],
    ["and the owner gives up before the log does", 300, 60],
  ] as const) {
    it.live(`keeps a full disk share from discarding anything unaccounted, ${how}; the neighbour loses nothing`, () =>
      Effect.gen(function* () {
        const { url } = yield* startNats();
        const destinations = new ScriptedDestinations();
        let isDead = true;
        destinations.answer = ({ job }) =>
          Effect.succeed(
            isDead && job === "job-0" ? deferred("server-error", "dead", { status: 503 }) : delivered(200),
          );
        yield* world(url, { logBytesMax: 8_388_608 }, destinations, (owner) =>
          Effect.gen(function* () {
            const outbox = yield* Outbox;
            const log = yield* Log;
            let written = 0;
            // 15 MB or 12 MB, compressed, into a log of 8 MB.
            for (let i = 0; i < writes; i++) {
              yield* outbox.write(spansOf([noise(deadPair!, 100), noise(otherPair!, 2)]), undefined);
              written += 100;
              yield* Effect.sleep(spacingMillis);
              if (spacingMillis < 50) continue;
              const { firstSequence } = yield* log.describe(0);
              assert.isAtMost(
                firstSequence - 1,
                bufferOf(owner, "job-0").cursor,
                "the owner gives up before the log does",
              );
            }
            yield* until(
              "the neighbour has all of its own",
              () => booksOf(owner, "job-1").delivered.records === 2 * writes,
            );
            assert.isAtMost((yield* log.describe(0)).bytes, 8_388_608);
            assert.isAbove(booksOf(owner, "job-0").expired.records, 0);
            isDead = false;
            yield* until(
              () => `the rest is delivered: ${standing(owner, "job-0")}`,
              () => booksOf(owner, "job-0").pending.records === 0,
              30_000,
            );
            const books = yield* assertAccounted(owner, "job-0");
            assert.strictEqual(books.accepted.records, written);
            assert.strictEqual(books.delivered.records + books.expired.records, written);
            // Room for about 9 MB was there all the time: not more went than had to.
            assert.isAbove(books.delivered.records, 5_000);
          }),
        );
      }),
    );
  }

  it.live("books what left the log while nobody owned the partition, read and unread, and delivers the rest", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const set = someJobs(1, 1, { batch });
      const [pair] = pairsOf(set);
      const destinations = new ScriptedDestinations();
      let isDead = true;
      destinations.answer = () =>
        Effect.succeed(isDead ? deferred("server-error", "dead", { status: 503 }) : delivered(200));
      const limits = { logBytesMax: 8_388_608 };
      const write = Effect.fnUntraced(function* (times: number) {
        const outbox = yield* Outbox;
        for (let i = 0; i < times; i++) yield* outbox.write(spansOf([noise(pair!, 100)]), undefined);
      });
      const books = (owner: Owner["Service"]) => booksOf(owner, "job-0");
      yield* withStreams(
        url,
        set,
        limits,
        Effect.gen(function* () {
          yield* owning(url, set, limits, destinations, (owner) =>
            Effect.gen(function* () {
              yield* write(20);
              yield* until("all of it is counted", () => owner.owned().get(0)!.state.position === 20);
              yield* owner.drain;
            }),
          );
          // Longer without an owner than the log keeps anything: 15 MB into 8 MB.
          yield* write(400);
          isDead = false;
          yield* owning(url, set, limits, destinations, (owner) =>
            Effect.gen(function* () {
              const { state } = owner.owned().get(0)!;
              yield* until("all is settled", () => state.position >= 420 && books(owner).pending.records === 0, 30_000);
              const { accepted, delivered: done, expired } = books(owner);
              assert.strictEqual(accepted.records, 42_000);
              assert.strictEqual(done.records + expired.records, 42_000);
              assert.isAbove(done.records, 5_000, "what the log still had was delivered");
              const stored = yield* assertAccounted(owner, "job-0");
              assert.strictEqual(stored.expired.records, expired.records);
            }),
          );
        }),
      );
    }),
  );

  it.live("purges what is settled before the share is full, and nothing that is not", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const destinations = new ScriptedDestinations();
      yield* world(url, { logBytesMax: 8_388_608, checkpointMillis: 250 }, destinations, (owner) =>
        Effect.gen(function* () {
          const outbox = yield* Outbox;
          const log = yield* Log;
          for (let i = 0; i < 240; i++) {
            yield* outbox.write(spansOf([noise(otherPair!, 100)]), undefined);
            yield* Effect.sleep(15);
          }
          yield* until("all is delivered", () => booksOf(owner, "job-1").pending.records === 0);
          yield* until("there is room", () => (owner.owned().get(0)!.state.log?.bytes ?? Infinity) < 8_388_608 * 0.8);
          const { firstSequence, lastSequence } = yield* log.describe(0);
          assert.isAbove(firstSequence, 1);
          assert.isBelow(firstSequence, lastSequence, "as much is kept as fits");
          assert.isAtMost(firstSequence, owner.owned().get(0)!.state.storedLowWater + 1);
          assert.strictEqual(booksOf(owner, "job-1").delivered.records, 24_000);
        }),
      );
    }),
  );
});
