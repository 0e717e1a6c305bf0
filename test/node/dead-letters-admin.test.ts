import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { type DeadLetter, DeadLetters, type StoredLetter } from "../../src/actors/ports/dead-letters.ts";
import { makeDeadLettersAdmin } from "../../src/node/dead-letters-admin.ts";
import { deferred, delivered, type PushOutcome, rejected } from "../../src/domain/push-outcome.ts";
import { layerJobsOf, quiet, ScriptedDestinations, someJobs } from "../support/world.ts";

const set = someJobs(1, 1);

const letterOf = (sequence: number): DeadLetter => ({
  job: "job-0",
  customer: "customer-0",
  dataset: "http_requests",
  sequence,
  index: 4,
  incarnation: "2026-11-23T07:00:00Z",
  reason: "data",
  detail: "422",
  status: 422,
  millis: 1_700_000_000_000,
  record: Buffer.from(`{"n":${sequence}}`),
});

/** Three letters in memory, and a destination that answers by the record. */
const makeWorld = () => {
  let stored: Array<StoredLetter> = [7, 8, 9].map((sequence, i) => ({ letter: letterOf(sequence), position: i + 1 }));
  const queries: Array<unknown> = [];
  const letters = Layer.mock(DeadLetters, {
    list: (query) => {
      queries.push(query);
      const { after, job } = query;
      const found = stored.filter(({ letter, position }) => position > after && (job ?? letter.job) === letter.job);
      return Effect.succeed({ letters: found, next: undefined });
    },
    get: (job, sequence, index) => {
      queries.push({ job, sequence, index });
      return Effect.succeed(stored.find(({ letter }) => letter.sequence === sequence && letter.index === index));
    },
    remove: (position) =>
      Effect.sync(() => {
        const before = stored.length;
        stored = stored.filter((each) => each.position !== position);
        return stored.length < before;
      }),
  });
  const sink = new ScriptedDestinations();
  const layer = Layer.mergeAll(letters, layerJobsOf(set), sink.layerFor("letters"), quiet);
  const sequences = () => stored.map(({ letter }) => letter.sequence);
  return { admin: makeDeadLettersAdmin({ replaysMax: 1 }).pipe(Effect.provide(layer)), sink, sequences, queries };
};

const answering = (sink: ScriptedDestinations, answer: (n: number) => PushOutcome) => {
  sink.answer = ({ first }) => Effect.succeed(answer(first));
};

describe("dead letters, administered", () => {
  it.effect("shows a letter as plain JSON, its record apart", () =>
    Effect.gen(function* () {
      const { admin } = makeWorld();
      const api = yield* admin;
      const page = yield* api.list({ job: "job-0" });
      assert.deepStrictEqual(JSON.parse(JSON.stringify(page)), page);
      const { record, ...summary } = yield* api.get({ job: "job-0", sequence: 7, index: 4 });
      assert.strictEqual(record, '{"n":7}');
      assert.deepStrictEqual(page.letters[0], summary);
      assert.deepInclude(summary, { bytes: 7, status: 422 });
    }),
  );

  it.effect("lets nothing but an id into a subject", () =>
    Effect.gen(function* () {
      const { admin, queries } = makeWorld();
      const api = yield* admin;
      for (const job of ["*", ">", "a.b", "_mux", ""]) {
        assert.strictEqual((yield* Effect.flip(api.get({ job, sequence: 7, index: 4 })))._tag, "LetterNotFound");
        assert.deepStrictEqual(yield* api.list({ job }), { letters: [] });
        assert.strictEqual(yield* api.dropAll(job), 0);
      }
      assert.deepStrictEqual(queries, []);
    }),
  );

  it.effect("pushes one as a batch of its own that says so, and removes it when it is delivered", () =>
    Effect.gen(function* () {
      const { admin, sequences, sink } = makeWorld();
      const api = yield* admin;
      const id = { job: "job-0", sequence: 8, index: 4 };
      answering(sink, () => rejected("data", "sink answered 422", 422));
      assert.deepInclude(yield* api.replay(id), { result: "kept", detail: "data: sink answered 422" });
      assert.deepStrictEqual(sequences(), [7, 8, 9]);
      answering(sink, () => delivered(200));
      assert.deepInclude(yield* api.replay(id), { result: "delivered" });
      assert.deepStrictEqual(sequences(), [7, 9]);
      assert.strictEqual((yield* Effect.flip(api.replay(id)))._tag, "LetterNotFound");
      const [first, second] = sink.pushes;
      assert.deepInclude(first, { content: '{"n":8}\n', replay: true, records: 1, job: "job-0" });
      assert.strictEqual(first!.batchId, "2026-11-23T07:00:00Z_job-0_8-8.4_replay");
      assert.strictEqual(second!.batchId, first!.batchId);
    }),
  );

  it.effect("goes on past a record that is refused, and stops where nothing is taken", () =>
    Effect.gen(function* () {
      const { admin, sequences, sink } = makeWorld();
      const api = yield* admin;
      answering(sink, (n) => (n === 8 ? rejected("data", "422", 422) : delivered(200)));
      const page = yield* api.replayAll("job-0", undefined);
      assert.deepStrictEqual(
        page.replays.map(({ result }) => result),
        ["delivered", "kept", "delivered"],
      );
      assert.isUndefined(page.stopped);
      assert.deepStrictEqual(sequences(), [8]);
      answering(sink, () => deferred("server-error", "sink answered 503", { status: 503 }));
      const blocked = yield* api.replayAll("job-0", 0);
      assert.strictEqual(blocked.stopped, "server-error: sink answered 503");
      assert.deepStrictEqual(sequences(), [8]);
      const gone = yield* Effect.flip(api.replayAll("job-9", 0));
      assert.include(gone, { detail: 'There is no push job "job-9" to replay to.' });
    }),
  );
});
