import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect, Layer } from "effect";
import { Owner } from "../../src/actors/owner.ts";
import { sequenceAt } from "../../src/actors/partition/sequence-at.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import type { ReplayReport } from "../../src/actors/replay/replay-report.ts";
import { type ReplayRequest, Replays } from "../../src/actors/replay/replays.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { deferred, delivered, type PushOutcome, rejected } from "../../src/domain/push-outcome.ts";
import { Nats } from "../../src/streams/nats.ts";
import { logStream } from "../../src/streams/subjects.ts";
import { linesOf, readWholeLog } from "../support/nats-log.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  layerNats,
  layerOutboxFor,
  layerOwner,
  layerStores,
  limits,
  pairsOf,
  pieceOf,
  prepareStreams,
  quiet,
  type RecordedPush,
  ScriptedDestinations,
  someJobs,
  spansOf,
  until,
} from "../support/world.ts";

const set = someJobs(2, 1);
const [ours, others] = pairsOf(set);
const linesOfRound = (round: number) => Array.from({ length: 50 }, (_, i) => `{"round":${round},"n":${i}}`);
const rounds = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A node that owns its one partition, with an outbox to write with; live and replay share destinations. */
const layerWorld = (url: string, sink: ScriptedDestinations, over: Partial<Limits> = {}) => {
  const all = { ...limits, retryBaseMillis: 5, retryMillisMax: 20, ...over };
  return Replays.layer({ ...all, partitions: 1 }).pipe(
    Layer.provide(sink.layerFor("replay")),
    Layer.provideMerge(layerOutboxFor(set, 1)),
    Layer.provideMerge(layerOwner(set, 1, sink, "live", all)),
    Layer.provideMerge(layerNats(url)),
    Layer.provideMerge(quiet),
  );
};

const write = Effect.fnUntraced(function* (count: number) {
  const outbox = yield* Outbox;
  for (const round of rounds(count)) {
    const lines = linesOfRound(round);
    yield* outbox.write(spansOf([pieceOf(ours!, lines), pieceOf(others!, lines)]), undefined);
  }
});

/** Everything written was delivered live, so that what comes from now on is replayed. */
const settle = (sink: ScriptedDestinations, count: number) =>
  until("live delivery", () => sink.deliveredRecords() === 2 * 50 * count);

const replayed = (sink: ScriptedDestinations): ReadonlyArray<RecordedPush> =>
  sink.delivered().filter(({ owner }) => owner === "replay");
const linesReplayed = (sink: ScriptedDestinations) =>
  replayed(sink).flatMap(({ content }) => linesOf(Buffer.from(content)));

const start = (request: Partial<ReplayRequest> = {}) =>
  Replays.use((replays) =>
    replays.start({ job: "job-0", from: { sequence: 1 }, to: undefined, name: undefined, ...request }),
  );

const ended = Effect.fnUntraced(function* (id: string) {
  const replays = yield* Replays;
  const find = () => replays.list().find((report) => report.id === id) as ReplayReport;
  yield* until("the end of the replay", () => find().state !== "running");
  return find();
});

const booksOf = Effect.gen(function* () {
  const owner = yield* Owner;
  const { buffers } = owner.owned().get(0)!.state;
  return ["job-0", "job-1"].map((job) => {
    const { cursor, ledger } = buffers.get(job)!;
    return { cursor, books: ledger.books() };
  });
});

const inWorld = <A, E>(
  url: string,
  sink: ScriptedDestinations,
  body: Effect.Effect<A, E, Replays | Owner | Outbox | Log | Nats>,
  over: Partial<Limits> = {},
) =>
  Effect.gen(function* () {
    const owner = yield* Owner;
    yield* until("ownership", () => owner.owned().get(0)?.state.isAdopted === true);
    return yield* body;
  }).pipe(Effect.provide(layerWorld(url, sink, over)));

const prepare = (url: string) =>
  prepareStreams(1).pipe(Effect.provide(layerStores().pipe(Layer.provideMerge(layerNats(url)))));

describeNats("replay", (startNats) => {
  it.live("pushes the range again, marked, and leaves cursor and books alone", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepare(url);
      const sink = new ScriptedDestinations();
      yield* inWorld(
        url,
        sink,
        Effect.gen(function* () {
          yield* write(4);
          yield* settle(sink, 4);
          const before = yield* booksOf;
          const begun = yield* start();
          assert.deepInclude(begun, { job: "job-0", state: "running", from: 1, records: 0 });
          const report = yield* ended(begun.id);
          assert.deepInclude(report, { state: "done", percent: 100, records: 200, recordsRefused: 0, lastError: null });
          assert.strictEqual(report.sequence, report.to);
          assert.deepStrictEqual(linesReplayed(sink), rounds(4).flatMap(linesOfRound));
          const live = new Set(sink.delivered().flatMap(({ batchId, owner }) => (owner === "live" ? [batchId] : [])));
          for (const push of replayed(sink)) {
            assert.isTrue(push.replay);
            assert.strictEqual(push.job, "job-0");
            assert.isTrue(push.batchId.endsWith(`_replay-${begun.id}`));
            assert.isFalse(live.has(push.batchId));
          }
          assert.deepStrictEqual(yield* booksOf, before);
          // The same again under the same name: the same ids, for a receiver that remembers them.
          const ids = replayed(sink).map(({ batchId }) => batchId);
          yield* start({ name: begun.id });
          yield* ended(begun.id);
          assert.deepStrictEqual(
            replayed(sink).map(({ batchId }) => batchId),
            [...ids, ...ids],
          );
        }),
      );
    }),
  );

  it.live("takes a part of the log by sequence and by time", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepare(url);
      const sink = new ScriptedDestinations();
      yield* inWorld(
        url,
        sink,
        Effect.gen(function* () {
          yield* write(6);
          yield* settle(sink, 6);
          const messages = yield* readWholeLog(0);
          const own = messages.filter(({ chunks }) => chunks.length > 0);
          const [, second, third, fourth] = own.map(({ sequence }) => sequence);
          const bySequence = yield* start({ from: { sequence: second! }, to: { sequence: third! } });
          yield* ended(bySequence.id);
          assert.deepStrictEqual(linesReplayed(sink), [1, 2].flatMap(linesOfRound));
          for (const { millis } of messages) {
            const expected = messages.find((each) => each.millis >= millis)!.sequence;
            assert.strictEqual(yield* sequenceAt(0, millis), expected);
          }
          assert.strictEqual(yield* sequenceAt(0, 0), messages[0]!.sequence);
          const head = yield* Log.use((log) => log.describe(0));
          assert.isAtLeast(yield* sequenceAt(0, Date.now() + 60_000), head.lastSequence);
          const millisOf = (sequence: number) => messages.find((each) => each.sequence === sequence)!.millis;
          const byTime = yield* start({ from: { millis: millisOf(fourth!) }, to: { millis: Date.now() + 60_000 } });
          assert.strictEqual(byTime.from, messages.find(({ millis }) => millis >= millisOf(fourth!))!.sequence);
          assert.strictEqual((yield* ended(byTime.id)).to, head.lastSequence);
          const report = yield* start({ from: { sequence: fourth! }, to: { sequence: 1_000_000 } });
          assert.strictEqual(report.to, head.lastSequence);
          yield* ended(report.id);
          assert.include(report.warnings.join(), "that is where the log is read up to");
        }),
      );
    }),
  );

  it.live("repeats what is deferred, gives up after its attempts, and can go on where it stopped", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepare(url);
      const sink = new ScriptedDestinations();
      let failures = 2;
      let second = Number.MAX_SAFE_INTEGER;
      sink.answer = ({ first, owner }): Effect.Effect<PushOutcome> =>
        Effect.sync(() => {
          if (owner === "live") return delivered(200);
          if (first >= second) return deferred("server-error", "sink answered 500");
          return failures-- > 0 ? deferred("throttled", "sink answered 429", { retryAfterMillis: 30 }) : delivered(200);
        });
      yield* inWorld(
        url,
        sink,
        Effect.gen(function* () {
          // More than one batch: a job's maxRecords is 1,000.
          yield* write(30);
          yield* settle(sink, 30);
          const all = yield* readWholeLog(0);
          second = all.filter(({ chunks }) => chunks.length > 0)[20]!.sequence;
          const begun = yield* start({ name: "again" });
          const failed = yield* ended(begun.id);
          assert.deepInclude(failed, { state: "failed", records: 1_000, batches: 1 });
          assert.include(failed.lastError ?? "", "server-error after 4 attempts: sink answered 500");
          assert.strictEqual(sink.pushes.filter(({ owner, first }) => owner === "replay" && first < second).length, 3);
          assert.strictEqual(sink.pushes.filter(({ owner, first }) => owner === "replay" && first >= second).length, 4);
          second = Number.MAX_SAFE_INTEGER;
          yield* start({ name: "again", from: { sequence: failed.sequence + 1 } });
          const done = yield* ended("again");
          assert.deepInclude(done, { state: "done", records: 500 });
          assert.deepStrictEqual(linesReplayed(sink), rounds(30).flatMap(linesOfRound));
        }),
        { replayAttemptsMax: 4 },
      );
    }),
  );

  it.live("passes a record by that is refused for itself, and delivers the rest of its batch", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepare(url);
      const sink = new ScriptedDestinations();
      const [poison, poisonToo] = [linesOfRound(1)[7]!, linesOfRound(1)[8]!];
      sink.answer = ({ content, owner }): Effect.Effect<PushOutcome> =>
        Effect.succeed(
          owner === "replay" && linesOf(Buffer.from(content)).some((line) => line === poison || line === poisonToo)
            ? rejected("data", "sink answered 422", 422)
            : delivered(200),
        );
      yield* inWorld(
        url,
        sink,
        Effect.gen(function* () {
          yield* write(3);
          yield* settle(sink, 3);
          const report = yield* ended((yield* start()).id);
          assert.deepInclude(report, { state: "done", records: 148, recordsRefused: 2 });
          const expected = rounds(3)
            .flatMap(linesOfRound)
            .filter((line) => line !== poison && line !== poisonToo);
          assert.deepStrictEqual(linesReplayed(sink), expected);
          const ids = replayed(sink).map(({ batchId }) => batchId);
          assert.strictEqual(new Set(ids).size, ids.length);
        }),
      );
    }),
  );

  it.live("is cancelled in the middle of a push, has its limit, and stands still with its job", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepare(url);
      const sink = new ScriptedDestinations();
      sink.answer = ({ owner }) => (owner === "replay" ? Effect.never : Effect.succeed(delivered(200)));
      yield* inWorld(
        url,
        sink,
        Effect.gen(function* () {
          const replays = yield* Replays;
          yield* write(2);
          yield* settle(sink, 2);
          const unknown = yield* Effect.flip(start({ job: "job-9" }));
          assert.deepInclude(unknown, { reason: "job-not-found" });
          const empty = yield* Effect.flip(start({ from: { sequence: 1_000 } }));
          assert.deepInclude(empty, { reason: "empty-range" });
          yield* start({ name: "first" });
          assert.deepInclude(yield* Effect.flip(start({ name: "first" })), { reason: "name-taken" });
          yield* start({ job: "job-1", name: "second" });
          assert.deepInclude(yield* Effect.flip(start()), { reason: "too-many" });
          yield* until("a push", () => sink.pushes.some(({ owner }) => owner === "replay"));
          assert.deepInclude(yield* replays.cancel("first"), { state: "cancelled", records: 0 });
          assert.isUndefined(yield* replays.cancel("third"));
          const third = yield* start({ name: "third" });
          assert.strictEqual(third.state, "running");
          assert.deepStrictEqual(
            replays.list().map(({ id, state }) => [id, state]),
            [
              ["third", "running"],
              ["second", "running"],
              ["first", "cancelled"],
            ],
          );
        }),
      );
    }),
  );

  it.live("says what has expired, and begins with what there is", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepare(url);
      const sink = new ScriptedDestinations();
      yield* inWorld(
        url,
        sink,
        Effect.gen(function* () {
          const { control } = yield* Nats;
          yield* write(5);
          yield* settle(sink, 5);
          const own = (yield* readWholeLog(0)).filter(({ chunks }) => chunks.length > 0);
          const first = own[2]!.sequence;
          yield* Effect.promise(async () =>
            (await jetstreamManager(control)).streams.purge(logStream(0), { seq: first }),
          );
          const begun = yield* start();
          assert.strictEqual(begun.from, first);
          assert.include(begun.warnings.join(), `The log begins at sequence ${first}`);
          yield* ended(begun.id);
          assert.deepStrictEqual(linesReplayed(sink), [2, 3, 4].flatMap(linesOfRound));
        }),
      );
    }),
  );
});
