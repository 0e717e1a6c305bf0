import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { type Owned, ownPartition } from "../../../src/actors/partition/own.ts";
import { type Checkpoint, Checkpoints, type Register, type Row } from "../../../src/actors/ports/checkpoints.ts";
import { Jobs } from "../../../src/actors/ports/jobs.ts";
import { Log } from "../../../src/actors/ports/log.ts";
import { Residency } from "../../../src/actors/residency/residency.ts";
import { jobSetOf, quiet, storedJob } from "../../support/world.ts";
import { pendingBooks, registerOf, rowOf } from "./partition-fixture.ts";

const options = {
  partitions: 1,
  owner: "me",
  bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 },
  readBytesMax: 1_000_000,
  readIdleMillisMax: 100,
  sweepSliceBytesMax: 1_000_000,
  sweepSliceMillisMax: 1_000,
  sweepNearBytesMax: 1_000_000,
  sweepBytesPerSecondMax: 1_000_000_000,
  logMaxAgeSeconds: 1_000_000,
  logBytesMax: 1_000_000_000,
  expiryPercent: 90,
  purgePercent: 80,
  replayWindowSecondsMax: 1_000_000,
  backlogBytesPerCustomerMax: 1_000_000_000,
  backlogAgeSecondsMax: 1_000_000,
  backlogEasedPercent: 80,
  checkpointMillis: 1_000,
  checkpointUrgentMillis: 250,
  checkpointCountMillis: 10_000,
  checkpointSilenceMillisMax: 15_000,
  drainMillisMax: 1_000,
  residency: new Residency({ residentBuffersMax: 1_000, hibernateAfterMillis: 1_000, mayCreate: () => true }),
};

/** A partition whose register, rows and log are as told, and an owner of it that runs no actor. */
const own = Effect.fnUntraced(function* (world: {
  readonly register: Register;
  readonly rows: ReadonlyArray<Row>;
  /** What the log says of itself, question by question; the last answer is for ever. */
  readonly log: ReadonlyArray<{ readonly incarnation: string; readonly lastSequence: number }>;
  readonly mayTake?: (snapshot: number) => boolean;
}) {
  const written: Array<Checkpoint> = [];
  const log = [...world.log];
  let claims = 0;
  let owned: Owned | undefined;
  const layer = Layer.mergeAll(
    Layer.succeed(Log, {
      read: () => Effect.succeed([]),
      tick: () => Effect.void,
      purge: () => Effect.void,
      describe: () => {
        const [now] = log;
        if (log.length > 1) log.shift();
        return Effect.succeed({ ...now!, firstSequence: 1, bytes: 0 });
      },
      waitForWrite: (_, millis) => Effect.sleep(millis),
    }),
    Layer.succeed(Checkpoints, {
      register: () => Effect.succeed(world.register),
      inspect: () => Effect.succeed({ register: world.register, rows: world.rows, receipts: [] }),
      claim: () => {
        claims += 1;
        const write = (checkpoint: Checkpoint) => Effect.sync(() => void written.push(checkpoint));
        return Effect.succeed({ register: world.register, rows: world.rows, damaged: new Set<string>(), write });
      },
    }),
    Layer.succeed(Jobs, {
      served: () => set,
      onChange: () => Effect.void,
      atRevision: () => Effect.succeed(undefined),
      absence: () => Effect.succeed("forgotten" as const),
    }),
    Layer.succeed(BufferActors, {
      start: () => Effect.void,
      stop: () => Effect.void,
      startNow: () => {},
      stopNow: () => {},
    }),
    quiet,
  );
  const set = jobSetOf([storedJob("a", "a"), storedJob("b", "b")], 1);
  yield* Effect.forkChild(
    ownPartition(0, world.mayTake === undefined ? options : { ...options, mayTake: world.mayTake }, (taken) => {
      owned = taken;
      return taken === undefined ? Effect.void : taken.adopt(set);
    }).pipe(Effect.provide(layer)),
  );
  return { written, owned: () => owned, claims: () => claims };
});

const rows = [
  rowOf("a", "a", { cursor: 70, counted: 90, books: pendingBooks(3) }),
  rowOf("b", "b", { cursor: 80, counted: 80 }),
];

describe("ownership of a partition", () => {
  it.effect("takes what is free at once, and what another holds after three silent seconds", () =>
    Effect.gen(function* () {
      const log = [{ incarnation: "i", lastSequence: 100 }];
      const free = yield* own({ register: registerOf({ owner: null, scan: 90 }), rows, log });
      const held = yield* own({ register: registerOf({ owner: "other", scan: 90 }), rows, log });
      yield* TestClock.adjust(2_900);
      assert.isDefined(free.owned());
      assert.strictEqual(held.claims(), 0);
      yield* TestClock.adjust(200);
      assert.isDefined(held.owned());
    }),
  );

  it.effect("waits for the configuration that its last owner had, and takes what is not newer", () =>
    Effect.gen(function* () {
      const log = [{ incarnation: "i", lastSequence: 100 }];
      let number = 4;
      const register = registerOf({ owner: null, scan: 90, snapshot: 5 });
      const waits = yield* own({ register, rows, log, mayTake: (snapshot) => number >= snapshot });
      yield* TestClock.adjust("1 minute");
      assert.strictEqual(waits.claims(), 0);
      number = 5;
      yield* TestClock.adjust("3 seconds");
      assert.isDefined(waits.owned());
      assert.strictEqual(waits.claims(), 1);
    }),
  );

  it.effect("does not take a log for another one because it grew while it was claimed", () =>
    Effect.gen(function* () {
      const log = [80, 100].map((lastSequence) => ({ incarnation: "i", lastSequence }));
      const { owned, written } = yield* own({ register: registerOf({ scan: 90 }), rows, log });
      yield* TestClock.adjust("3 seconds");
      assert.strictEqual(owned()!.state.buffers.get("a")!.cursor, 70);
      assert.deepStrictEqual(
        written.flatMap(({ receipts }) => receipts),
        [],
      );
    }),
  );

  for (const [what, info] of Object.entries({
    "was made anew": { incarnation: "another", lastSequence: 5 },
    "lost its end": { incarnation: "i", lastSequence: 5 },
  })) {
    it.effect(`begins anew with a log that ${what}: rows and register together, with a receipt for what is lost`, () =>
      Effect.gen(function* () {
        const { owned, written } = yield* own({ register: registerOf({ scan: 90 }), rows, log: [info] });
        yield* TestClock.adjust("3 seconds");
        const [first] = written;
        assert.deepInclude(first!.register, { incarnation: info.incarnation, lowWater: 0 });
        // A row that stayed as it was would take the new log's records for counted and settled.
        assert.deepStrictEqual(
          first!.rows
            .map(({ books, counted, cursor, job }) => [job, cursor, counted, books.pending.records])
            .toSorted(([a], [b]) => String(a).localeCompare(String(b))),
          [
            ["a", 0, 0, 0],
            ["b", 0, 0, 0],
          ],
        );
        assert.strictEqual(first!.rows.find(({ job }) => job === "a")!.books.expired.records, 3);
        assert.deepInclude(first!.receipts[0], { job: "a", records: 3, reason: "logLost", firstSequence: 71 });
        assert.strictEqual(owned()!.state.position, 0);
      }),
    );
  }
});
