import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect, Layer } from "effect";
import { DeadLetterWriter } from "../../src/actors/buffer/dead-letter-writer.ts";
import { type DeadLetter, DeadLetters } from "../../src/actors/ports/dead-letters.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { type DeadLettersOptions, layerDeadLetters } from "../../src/streams/dead-letters.ts";
import { Nats } from "../../src/streams/nats.ts";
import { deadStream } from "../../src/streams/subjects.ts";
import { describeNats } from "../support/nats-variants.ts";
import {
  layerNats,
  layerOutboxFor,
  layerStores,
  limits,
  pairsOf,
  pieceOf,
  prepareStreams,
  quiet,
  someJobs,
  spansOf,
} from "../support/world.ts";

const layerAt = (url: string, over: Partial<DeadLettersOptions> = {}) =>
  layerDeadLetters({ ...limits, timeoutMillis: 2_000, ...over }).pipe(
    Layer.provideMerge(layerStores()),
    Layer.provideMerge(layerNats(url)),
    Layer.provideMerge(quiet),
  );

const letterOf = (sequence: number, over: Partial<DeadLetter> = {}): DeadLetter => ({
  job: "a",
  customer: "acme",
  dataset: "http_requests",
  sequence,
  index: 0,
  incarnation: "2026-11-23T07:00:00.123456789Z",
  reason: "data",
  detail: "sink answered 422",
  status: 422,
  millis: 1_700_000_000_000,
  record: Buffer.from(`{"n":${sequence}}`),
  ...over,
});

const put = (letter: DeadLetter, partition = 0) => DeadLetters.use((letters) => letters.put(partition, letter));
const list = (query: { job?: string; customer?: string; after?: number; limit?: number } = {}) =>
  DeadLetters.use((letters) => letters.list({ after: 0, limit: 100, ...query }));
const sequencesOf = (page: { readonly letters: ReadonlyArray<{ readonly letter: DeadLetter }> }) =>
  page.letters.map(({ letter }) => letter.sequence);

describeNats("dead letters", (startNats) => {
  it.live("keeps the first write, however often a letter comes again", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepareStreams(1).pipe(
        Effect.andThen(
          Effect.gen(function* () {
            const letters = yield* DeadLetters;
            yield* put(letterOf(7));
            yield* put(letterOf(7, { detail: "another word", record: Buffer.from("other") }));
            // The same sequence of another log is another letter.
            yield* put(letterOf(7, { incarnation: "2026-11-23T08:00:00Z", detail: "of another log" }));
            const page = yield* list();
            assert.deepStrictEqual(
              page.letters.map(({ letter }) => [letter.detail, Buffer.from(letter.record).toString()]),
              [
                ["sink answered 422", '{"n":7}'],
                ["of another log", '{"n":7}'],
              ],
            );
            assert.isUndefined(page.next);
            assert.strictEqual((yield* letters.get("a", 7, 0))?.letter.detail, "of another log");
            assert.isUndefined(yield* letters.get("a", 7, 1));
            assert.isUndefined(yield* letters.get("b", 7, 0));
            assert.deepStrictEqual({ ...page.letters[0]!.letter, record: "" }, { ...letterOf(7), record: "" });
          }),
        ),
        Effect.provide(layerAt(url)),
      );
    }),
  );

  it.live("lists in pages, by job and by customer, and removes one or all of a job", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepareStreams(1).pipe(
        Effect.andThen(
          Effect.gen(function* () {
            const letters = yield* DeadLetters;
            for (const sequence of [1, 2, 3, 4, 5]) yield* put(letterOf(sequence));
            yield* put(letterOf(6, { job: "b" }));
            yield* put(letterOf(7, { job: "c", customer: "globex" }), 3);
            const first = yield* list({ job: "a", limit: 2 });
            assert.deepStrictEqual(sequencesOf(first), [1, 2]);
            const second = yield* list({ job: "a", limit: 2, after: first.next! });
            assert.deepStrictEqual(sequencesOf(second), [3, 4]);
            const third = yield* list({ job: "a", limit: 2, after: second.next! });
            assert.deepStrictEqual(sequencesOf(third), [5]);
            assert.isUndefined(third.next);
            assert.deepStrictEqual(sequencesOf(yield* list({ customer: "acme" })), [1, 2, 3, 4, 5, 6]);
            assert.deepStrictEqual(sequencesOf(yield* list()), [1, 2, 3, 4, 5, 6, 7]);
            const { position } = (yield* letters.get("a", 3, 0))!;
            assert.isTrue(yield* letters.remove(position));
            assert.isFalse(yield* letters.remove(position));
            assert.deepStrictEqual(sequencesOf(yield* list({ job: "a" })), [1, 2, 4, 5]);
            assert.strictEqual(yield* letters.removeAll("a"), 4);
            assert.strictEqual(yield* letters.removeAll("a"), 0);
            assert.deepStrictEqual(sequencesOf(yield* list()), [6, 7]);
          }),
        ),
        Effect.provide(layerAt(url)),
      );
    }),
  );

  it.live("refuses a job over its limit, and nobody else; a letter that is there is no refusal", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const program = Effect.gen(function* () {
        const letters = yield* DeadLetters;
        for (const sequence of [1, 2, 3]) yield* put(letterOf(sequence));
        const refused = yield* Effect.flip(put(letterOf(4)));
        assert.strictEqual(refused._tag, "DeadLettersFull");
        assert.include(refused.detail, "deadLettersPerJobMax");
        yield* put(letterOf(2));
        yield* put(letterOf(4, { job: "b" }));
        // Dropped elsewhere: counted anew before it refuses.
        const { position } = (yield* letters.get("a", 1, 0))!;
        yield* Effect.provide(
          DeadLetters.use((others) => others.remove(position)),
          layerAt(url),
        );
        yield* put(letterOf(4));
        // Another process begins with what is stored.
        const again = yield* Effect.flip(Effect.provide(put(letterOf(5)), layerAt(url, { deadLettersPerJobMax: 3 })));
        assert.strictEqual(again._tag, "DeadLettersFull");
      });
      yield* prepareStreams(1).pipe(Effect.andThen(program), Effect.provide(layerAt(url, { deadLettersPerJobMax: 3 })));
    }),
  );

  it.live("gives one customer a share of the bytes, and says so when all of them are used up", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const deadLetterBytesMax = 1_048_576;
      const big = (sequence: number, over: Partial<DeadLetter> = {}) =>
        letterOf(sequence, { record: Buffer.alloc(200_000, 0x61), ...over });
      const program = Effect.gen(function* () {
        yield* put(big(1));
        const share = yield* Effect.flip(put(big(2)));
        assert.strictEqual(share._tag, "DeadLettersFull");
        assert.include(share.detail, "deadLetterCustomerPercentMax");
        // Its small ones still fit, and others have their own share.
        yield* put(letterOf(3));
        for (const customer of ["b", "c", "d", "e"]) yield* put(big(1, { job: customer, customer }));
        const full = yield* Effect.flip(put(big(1, { job: "f", customer: "f" })));
        assert.strictEqual(full._tag, "DeadLettersFull");
        assert.include(full.detail, "deadLetterBytesMax");
        // Nothing was lost to make room, and what is there is there.
        assert.strictEqual((yield* list()).letters.length, 6);
        yield* put(big(1, { job: "e", customer: "e" }));
      });
      yield* prepareStreams(1, { deadLetterBytesMax }).pipe(
        Effect.andThen(program),
        Effect.provide(layerAt(url, { deadLetterBytesMax })),
      );
    }),
  );

  it.live("lists past a letter that does not decode", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* prepareStreams(1).pipe(
        Effect.andThen(
          Effect.gen(function* () {
            const { control } = yield* Nats;
            yield* put(letterOf(1));
            yield* Effect.promise(() => control.request("dead.000.acme.a.x.2.0", Buffer.from("nonsense")));
            yield* put(letterOf(3));
            assert.deepStrictEqual(sequencesOf(yield* list({ job: "a" })), [1, 3]);
          }),
        ),
        Effect.provide(layerAt(url)),
      );
    }),
  );

  it.live("finds the record of a real log, once, though its writer is killed and begins again", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const set = someJobs(2, 1);
      const lines = (customer: string) => Array.from({ length: 40 }, (_, i) => `{"customer":"${customer}","n":${i}}`);
      const program = Effect.gen(function* () {
        const outbox = yield* Outbox;
        const log = yield* Log;
        // Two messages of both customers' records: mux messages, as small requests make them.
        const [a, b] = pairsOf(set);
        yield* outbox.write(spansOf([pieceOf(a!, lines("a0")), pieceOf(b!, lines("b0"))]), undefined);
        yield* outbox.write(spansOf([pieceOf(a!, lines("a1")), pieceOf(b!, lines("b1"))]), undefined);
        const { incarnation, lastSequence } = yield* log.describe(0);
        const { job } = set.byId.get("job-1")!;
        const write = (index: number) =>
          DeadLetterWriter.use((writer) =>
            writer.write({
              partition: 0,
              incarnation,
              job: job.id,
              customer: job.customer,
              dataset: job.dataset,
              batch: {
                first: 1,
                last: lastSequence,
                records: 80,
                bytes: 1,
                startMillis: 0,
                endMillis: 0,
                closedBy: "time",
              },
              index,
              refusal: { reason: "data", detail: "422", status: 422 },
              isDuplicate: () => false,
            }),
          ).pipe(Effect.provide(DeadLetterWriter.layer(limits)));
        // Interrupted wherever it happens to be, then done again.
        yield* Effect.timeoutOption(write(57), "3 millis");
        const kept = yield* write(57);
        assert.deepStrictEqual(kept, yield* write(57));
        const { letters } = yield* list();
        assert.strictEqual(letters.length, 1);
        const { index, record, sequence } = letters[0]!.letter;
        assert.strictEqual(Buffer.from(record).toString(), lines("b1")[17]);
        assert.deepStrictEqual([sequence, index], [lastSequence, 17]);
        assert.strictEqual(kept.bytes, record.length + 1);
      });
      yield* prepareStreams(1).pipe(
        Effect.andThen(program),
        Effect.provide(layerOutboxFor(set, 1).pipe(Layer.provideMerge(layerAt(url)))),
      );
    }),
  );

  it.live("refuses a stream of other settings, as every stream", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        yield* prepareStreams(1);
        const { control } = yield* Nats;
        const { config } = yield* Effect.promise(async () =>
          (await jetstreamManager(control)).streams.info(deadStream),
        );
        assert.deepInclude(config, { discard: "new", discard_new_per_subject: true, max_msgs_per_subject: 1 });
        const refusal = yield* Effect.flip(prepareStreams(1, { deadLetterBytesMax: 2_097_152 }));
        assert.include((refusal as { message: string }).message, "DEAD");
      }).pipe(Effect.provide(layerAt(url)));
    }),
  );
});
