import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber, Layer } from "effect";
import { TestClock } from "effect/testing";
import { gzipSync } from "node:zlib";
import { DeadLetterWriter, type LetterSource } from "../../../src/actors/buffer/dead-letter-writer.ts";
import {
  type DeadLetter,
  DeadLetters,
  DeadLettersFull,
  DeadLettersUnavailable,
} from "../../../src/actors/ports/dead-letters.ts";
import { type Chunk, Log, type LogMessage, LogUnavailable } from "../../../src/actors/ports/log.ts";
import { quiet } from "../../support/world.ts";

const chunkOf = (pairKey: string, lines: ReadonlyArray<string>, encoding: Chunk["encoding"]): Chunk => {
  const raw = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  const packed = encoding === "gzip" ? gzipSync(raw) : raw;
  // With something around it: a chunk is a part of its message's memory.
  const data = Buffer.concat([Buffer.from("##"), packed, Buffer.from("##")]);
  return { pairKey, records: lines.length, bytes: raw.length, encoding, data, from: 2, to: 2 + packed.length };
};

const ours = "acme.http_requests";

/** Messages 11 to 16: ours are 2 + 3 (again as a duplicate) + 1 records, between those of others and a tick. */
const messages: ReadonlyArray<LogMessage> = [
  [chunkOf("globex.http_requests", ["g"], "raw"), chunkOf(ours, ["r0", "r1 é"], "raw")],
  [],
  [chunkOf(ours, ["r2", "", "r4"], "gzip")],
  [chunkOf(ours, ["r2", "", "r4"], "gzip")],
  [chunkOf("globex.http_requests", ["g"], "raw")],
  [chunkOf(ours, ["r5"], "gzip")],
].map((chunks, i) => ({ sequence: 11 + i, millis: 1_000, writer: undefined, jobSet: 0, records: 0, chunks }));

/** Log and letters that fail as a test says. */
class World {
  readonly letters: Array<{ readonly partition: number; readonly letter: DeadLetter }> = [];
  messages = messages;
  logFailures = 0;
  putFailures: Array<DeadLettersUnavailable | DeadLettersFull> = [];
  reads = 0;
  readonly #failing = new LogUnavailable({ operation: "read", detail: "no answer" });

  readonly layer = DeadLetterWriter.layer({ readBytesMax: 1_000 }).pipe(
    Layer.provide(
      Layer.mergeAll(
        Layer.mock(Log, {
          read: (_, sequence) =>
            Effect.suspend(() => {
              this.reads += 1;
              if (this.logFailures-- > 0) return Effect.fail(this.#failing);
              // Two at a time: a range is read in several answers.
              return Effect.succeed(this.messages.filter((each) => each.sequence >= sequence).slice(0, 2));
            }),
          describe: () => Effect.sync(() => ({ incarnation: "i", firstSequence: 11, lastSequence: 20, bytes: 1 })),
        }),
        Layer.mock(DeadLetters, {
          put: (partition, letter) =>
            Effect.suspend(() => {
              const failure = this.putFailures.shift();
              if (failure !== undefined) return Effect.fail(failure);
              this.letters.push({ partition, letter });
              return Effect.void;
            }),
        }),
      ),
    ),
    Layer.provideMerge(quiet),
  );

  write(index: number, over: Partial<LetterSource> = {}) {
    const input = {
      partition: 3,
      incarnation: "i",
      job: "a",
      customer: "acme",
      dataset: "http_requests",
      batch: { first: 11, last: 16, records: 6, bytes: 21, startMillis: 0, endMillis: 0, closedBy: "time" as const },
      index,
      refusal: { reason: "data", detail: "sink answered 422", status: 422 },
      isDuplicate: (sequence: number) => sequence === 14,
      ...over,
    };
    return DeadLetterWriter.use((writer) => writer.write(input)).pipe(Effect.provide(this.layer));
  }
}

describe("the dead letter writer", () => {
  it.effect("finds every record of a batch under its message and its place in it", () =>
    Effect.gen(function* () {
      const world = new World();
      const kept = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (index) => world.write(index));
      assert.deepStrictEqual(
        world.letters.map(({ letter: { index, sequence } }, i) => [sequence, index, kept[i]!.bytes]),
        [
          [11, 0, 3],
          [11, 1, 6],
          [13, 0, 3],
          [13, 1, 1],
          [13, 2, 3],
          [16, 0, 3],
        ],
      );
      assert.deepStrictEqual(
        world.letters.map(({ letter }) => Buffer.from(letter.record).toString()),
        ["r0", "r1 é", "r2", "", "r4", "r5"],
      );
      const { letter, partition } = world.letters[1]!;
      assert.strictEqual(partition, 3);
      assert.deepInclude(letter, { job: "a", customer: "acme", dataset: "http_requests", incarnation: "i" });
      assert.deepInclude(letter, { reason: "data", detail: "sink answered 422", status: 422, millis: 0 });
    }),
  );

  it.effect("reads no further than the record", () =>
    Effect.gen(function* () {
      const world = new World();
      yield* world.write(1);
      assert.strictEqual(world.reads, 1);
    }),
  );

  it.effect("goes on when log and store answer again, each delay bounded", () =>
    Effect.gen(function* () {
      const world = new World();
      world.logFailures = 30;
      world.putFailures = [new DeadLettersUnavailable({ detail: "silent" })];
      const writing = yield* Effect.forkChild(world.write(0));
      // 31 waits of at most 30 s each.
      yield* TestClock.adjust("930 seconds");
      assert.deepStrictEqual(yield* Fiber.join(writing), { records: 1, bytes: 3 });
      assert.strictEqual(world.letters.length, 1);
    }),
  );

  it.effect("hands a full store to its caller at once", () =>
    Effect.gen(function* () {
      const world = new World();
      world.putFailures = [new DeadLettersFull({ detail: "job a has 3" })];
      const failure = yield* Effect.flip(world.write(0));
      assert.strictEqual(failure._tag, "DeadLettersFull");
      assert.strictEqual(world.reads, 1);
    }),
  );

  it.effect("says that a record is gone, and never keeps another in its place", () =>
    Effect.gen(function* () {
      const beyond = new World();
      assert.strictEqual((yield* Effect.flip(beyond.write(6)))._tag, "RecordGone");
      const expired = new World();
      expired.messages = messages.slice(1);
      assert.strictEqual((yield* Effect.flip(expired.write(3)))._tag, "RecordGone");
      const damaged = new World();
      const [first] = messages;
      const chunk = { ...chunkOf(ours, ["r0"], "gzip"), encoding: "gzip" as const, data: Buffer.alloc(64), to: 60 };
      damaged.messages = [{ ...first!, chunks: [chunk] }];
      assert.strictEqual((yield* Effect.flip(damaged.write(0)))._tag, "RecordGone");
      assert.strictEqual(beyond.letters.length + expired.letters.length + damaged.letters.length, 0);
    }),
  );

  it.effect("does not take a replica that lags for a log that ended", () =>
    Effect.gen(function* () {
      const world = new World();
      world.messages = messages.slice(0, 2);
      const writing = yield* Effect.forkChild(world.write(2));
      yield* TestClock.adjust("60 seconds");
      world.messages = messages;
      yield* TestClock.adjust("60 seconds");
      yield* Fiber.join(writing);
      assert.deepInclude(world.letters[0]!.letter, { sequence: 13, index: 0 });
    }),
  );
});
