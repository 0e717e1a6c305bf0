import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import type { Buffer } from "../../../src/actors/buffer/buffer.ts";
import { checkpoint, checkpointLoop } from "../../../src/actors/partition/checkpointer.ts";
import { CheckpointUnavailable } from "../../../src/actors/ports/checkpoints.ts";
import { addBuffer, chunkOf, partitionOf, registerOf, rowOf, scriptedClaim } from "./partition-fixture.ts";

const batch = { maxBytes: 30, maxRecords: 1_000, maxIntervalSeconds: 1 };
const unavailable = Effect.fail(new CheckpointUnavailable({ partition: 0, detail: "scripted" }));

/** What the reader does with a message that holds one record of one buffer. */
const dispatch = (state: ReturnType<typeof partitionOf>, buffer: Buffer) => {
  const sequence = state.position + 1;
  const chunk = chunkOf(buffer.jobId, 1);
  buffer.count(sequence, sequence, chunk);
  if (buffer.live && !buffer.feed(sequence, sequence, chunk)) buffer.lag(sequence - 1);
  state.position = sequence;
};

const step = fc.oneof(
  fc.record({ do: fc.constant("message" as const), buffer: fc.nat(2) }),
  fc.record({ do: fc.constant("settle" as const), buffer: fc.nat(2) }),
  fc.record({ do: fc.constant("checkpoint" as const), rows: fc.subarray([0, 1, 2]), lands: fc.boolean() }),
);

describe("checkpoint", () => {
  it.effect("never lets the scan pass what no durable row counts, and a restart counts the rest once (I5)", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const { claim, willAnswer, written } = scriptedClaim();
          const state = partitionOf(claim, 0);
          const buffers = ["a", "b", "c"].map((id) => addBuffer(state, rowOf(id, id), batch));
          const owners: Array<number> = [];
          const durable = { scan: 0, rows: new Map<string, ReturnType<typeof rowOf>>() };
          for (const each of steps) {
            if (each.do === "message") {
              dispatch(state, buffers[each.buffer]!);
              owners.push(each.buffer);
            } else if (each.do === "settle") {
              const head = buffers[each.buffer]!.window.head();
              if (head !== undefined) buffers[each.buffer]!.settle(head.ref, null, 0);
            } else {
              willAnswer(each.lands ? Effect.void : unavailable);
              const rows = each.rows.map((i) => buffers[i]!);
              const landed = await Effect.runPromise(checkpoint(state, "me", rows).pipe(Effect.orDie));
              assert.strictEqual(landed, each.lands);
              if (!each.lands) continue;
              const last = written.at(-1)!;
              durable.scan = last.register.scan;
              for (const row of last.rows) durable.rows.set(row.job, row);
            }
          }
          for (const [i, id] of ["a", "b", "c"].entries()) {
            const row = durable.rows.get(id) ?? rowOf(id, id);
            const uncounted = owners.filter(
              (owner, at) => owner === i && at + 1 > row.counted && at + 1 <= durable.scan,
            );
            assert.deepStrictEqual(uncounted, []);
            // A restart: from the rows, reading on after the scan.
            const again = partitionOf(scriptedClaim(registerOf({ scan: durable.scan })).claim, durable.scan);
            const buffer = addBuffer(again, row, batch);
            for (const [at, owner] of owners.entries()) {
              if (at + 1 <= durable.scan) continue;
              if (owner === i) buffer.count(at + 1, at + 1, chunkOf(id, 1));
              again.position = at + 1;
            }
            assert.strictEqual(buffer.ledger.books().accepted.records, owners.filter((owner) => owner === i).length);
          }
        }),
        { numRuns: 150 },
      ),
    ).pipe(Effect.asVoid),
  );

  it.effect("writes everything again that did not land, receipts included", () =>
    Effect.gen(function* () {
      const { claim, willAnswer, written } = scriptedClaim();
      const state = partitionOf(claim, 0);
      const a = addBuffer(state, rowOf("a", "a"), batch);
      dispatch(state, a);
      const receipt = { ...receiptOf("a"), millis: 1 };
      state.receipts.push(receipt);
      willAnswer(unavailable);
      assert.isFalse(yield* checkpoint(state, "me", [a]));
      assert.strictEqual(a.dirtiness(), "counted");
      assert.strictEqual(state.scan, 0);
      willAnswer(Effect.void);
      assert.isTrue(yield* checkpoint(state, "me", [a]));
      assert.deepStrictEqual(written[1]!.receipts, [receipt]);
      assert.strictEqual(written[1]!.rows[0]!.books.accepted.records, 1);
      assert.strictEqual(a.dirtiness(), "clean");
      assert.strictEqual(state.scan, 1);
    }),
  );

  it.effect("passes what it writes receipts of for want of a push job: one that comes later would find it", () =>
    Effect.gen(function* () {
      const { claim, willAnswer, written } = scriptedClaim();
      const state = partitionOf(claim, 0);
      const a = addBuffer(state, rowOf("a", "a"), batch);
      dispatch(state, a);
      state.unclaimedChunks.note("b.http_requests", { first: 2, last: 2, millis: 0, records: 1, bytes: 10 });
      state.position = 2;
      assert.isTrue(yield* checkpoint(state, "me", []));
      assert.deepStrictEqual([written[0]!.receipts.length, state.scan], [0, 0]);
      yield* TestClock.adjust(10_000);
      willAnswer(unavailable);
      assert.isFalse(yield* checkpoint(state, "me", []));
      willAnswer(Effect.void);
      assert.isTrue(yield* checkpoint(state, "me", []));
      assert.deepStrictEqual([written[2]!.receipts.length, state.scan], [1, 2]);
      assert.deepStrictEqual(
        written[2]!.rows.map(({ job }) => job),
        ["a"],
      );
    }),
  );

  it.effect("lets the low-water mark pass nothing that a restart would read again", () =>
    Effect.gen(function* () {
      const { claim, written } = scriptedClaim();
      const state = partitionOf(claim, 0);
      const a = addBuffer(state, rowOf("a", "a"), batch);
      const b = addBuffer(state, rowOf("b", "b"), batch);
      for (let i = 0; i < 3; i++) dispatch(state, a);
      yield* checkpoint(state, "me", [a, b]);
      a.settle(a.window.head()!.ref, null, 0);
      dispatch(state, b);
      // Of b alone: a's durable row still begins at its old cursor.
      yield* checkpoint(state, "me", [b]);
      assert.deepStrictEqual(
        written.map(({ register }) => register.lowWater),
        [0, 0],
      );
      yield* checkpoint(state, "me", [a]);
      assert.strictEqual(written.at(-1)!.register.lowWater, 3);
    }),
  );

  it.effect("writes the last row of a deleted job before the first row of a new one of the same name", () =>
    Effect.gen(function* () {
      const { claim, written } = scriptedClaim();
      const state = partitionOf(claim, 0);
      const old = addBuffer(state, rowOf("a", "a"), batch);
      state.remove(old);
      state.leaving.set("a", old);
      const anew = addBuffer(state, rowOf("a", "a"), batch);
      dispatch(state, anew);
      yield* checkpoint(state, "me", [anew]);
      assert.deepStrictEqual(
        written[0]!.rows.map(({ deleted }) => deleted),
        [true, false],
      );
    }),
  );
});

const receiptOf = (job: string) => ({
  customer: "a",
  dataset: "http_requests",
  job,
  firstSequence: 1,
  lastSequence: 2,
  records: 1,
  bytes: 10,
  reason: "expired" as const,
});

describe("checkpoint loop", () => {
  const options = {
    owner: "me",
    checkpointMillis: 1_000,
    checkpointUrgentMillis: 250,
    checkpointCountMillis: 10_000,
    checkpointSilenceMillisMax: 3_000,
  };

  it.effect("writes urgently, soon, rarely and to renew, as each asks", () =>
    Effect.gen(function* () {
      const { claim, written } = scriptedClaim();
      const state = partitionOf(claim, 0);
      const a = addBuffer(state, rowOf("a", "a"), batch);
      yield* Effect.forkChild(checkpointLoop(state, options));
      yield* TestClock.adjust(1_900);
      assert.strictEqual(written.length, 0);
      // An idle owner renews.
      yield* TestClock.adjust(400);
      assert.strictEqual(written.length, 1);
      assert.deepStrictEqual(written[0]!.rows, []);
      a.beUrgent();
      yield* TestClock.adjust(600);
      assert.deepStrictEqual(
        written[1]?.rows.map(({ job }) => job),
        ["a"],
      );
      dispatch(state, a);
      // Mere counts wait for their time, however often the ownership is renewed.
      yield* TestClock.adjust(5_000);
      assert.strictEqual(written.slice(2).flatMap(({ rows }) => rows).length, 0);
      yield* TestClock.adjust(5_000);
      assert.strictEqual(written.slice(2).flatMap(({ rows }) => rows).length, 1);
    }),
  );

  it.effect("stops pushes after a silence, and lets them go on when a checkpoint lands", () =>
    Effect.gen(function* () {
      const { claim, willAnswer } = scriptedClaim();
      const state = partitionOf(claim, 0);
      const a = addBuffer(state, rowOf("a", "a"), batch);
      willAnswer(unavailable);
      yield* Effect.forkChild(checkpointLoop(state, options));
      a.beUrgent();
      yield* TestClock.adjust(2_000);
      assert.isTrue(state.mayPush);
      yield* TestClock.adjust(2_000);
      assert.isFalse(state.mayPush);
      willAnswer(Effect.void);
      yield* TestClock.adjust(1_000);
      assert.isTrue(state.mayPush);
    }),
  );
});
