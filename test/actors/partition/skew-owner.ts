import { assert } from "@effect/vitest";
import { Effect, Fiber, Layer } from "effect";
import { TestClock } from "effect/testing";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { checkpoint } from "../../../src/actors/partition/checkpointer.ts";
import { readLoop } from "../../../src/actors/partition/reader.ts";
import { adoptJobs } from "../../../src/actors/partition/recover.ts";
import { dismissLate } from "../../../src/actors/partition/take-leave.ts";
import type { Register, Row } from "../../../src/actors/ports/checkpoints.ts";
import { type JobAbsence, Jobs, type JobSet } from "../../../src/actors/ports/jobs.ts";
import type { LogMessage } from "../../../src/actors/ports/log.ts";
import { IdleWatch, reapPartition } from "../../../src/actors/residency/hibernate.ts";
import { Residency } from "../../../src/actors/residency/residency.ts";
import { makeWaker } from "../../../src/actors/residency/wake.ts";
import { jobSetOf, quiet } from "../../support/world.ts";
import { chunkOf, logOf, messagesOf, partitionOf, scriptedClaim } from "./partition-fixture.ts";

/** Chunks of `ant`, one record each, a message each, after so many others: the set that each was stored under. */
export const logUnder = (sets: ReadonlyArray<number>, after = 0): ReadonlyArray<LogMessage> =>
  sets.map((jobSet, i) => {
    const [message] = messagesOf([{ millis: after + i, chunks: [chunkOf("ant", 1)] }]);
    return { ...message!, sequence: after + i + 1, jobSet };
  });

/** An owner that reads the log from its scan as far as it goes, and runs no actor. */
export const ownerOf = (messages: Array<LogMessage>, rows: ReadonlyArray<Row>, register: Register) => {
  const { claim, willAnswer, written } = scriptedClaim(register);
  const state = partitionOf(claim, register.scan);
  for (const row of rows) state.rows.put(row);
  const absences: Record<string, JobAbsence> = {};
  const asked: Array<string> = [];
  const options = {
    partitions: 1,
    bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 },
    residency: new Residency({ residentBuffersMax: 10, hibernateAfterMillis: 1_000, mayCreate: () => true }),
  };
  const layer = Layer.mergeAll(
    Layer.succeed(BufferActors, {
      start: () => Effect.void,
      stop: () => Effect.void,
      startNow: () => {},
      stopNow: () => {},
    }),
    Layer.succeed(Jobs, {
      served: () => jobSetOf([], 1),
      onChange: () => Effect.void,
      atRevision: () => Effect.succeed(undefined),
      absence: (id) =>
        Effect.sync(() => {
          asked.push(id);
          return absences[id] ?? "stored";
        }),
    }),
    logOf(messages),
    quiet,
  );
  const adopt = (set: JobSet) => adoptJobs(state, set, options).pipe(Effect.provide(layer));
  /** Reads all there is. */
  const read = Effect.gen(function* () {
    const reading = yield* Effect.forkChild(
      readLoop(state, { readBytesMax: 1_000_000, readIdleMillisMax: 100 }).pipe(Effect.provide(layer)),
    );
    yield* TestClock.adjust(50);
    yield* Fiber.interrupt(reading);
    assert.strictEqual(state.position, messages.length);
  });
  /** Hands in what is due, at the latest. */
  const receipts = Effect.gen(function* () {
    yield* checkpoint(state, null, state.rowed());
    return written.flatMap((each) => each.receipts).map((each) => [each.reason, each.firstSequence, each.records]);
  });
  const leave = dismissLate(state, options).pipe(Effect.provide(layer));
  const watch = new IdleWatch();
  const reap = Effect.gen(function* () {
    yield* reapPartition(state, options.residency, yield* makeWaker(state, options), watch);
  }).pipe(Effect.provide(layer));
  /** More comes, under these sets. */
  const grow = (sets: ReadonlyArray<number>) => void messages.push(...logUnder(sets, messages.length));
  return { absences, adopt, asked, grow, leave, read, reap, receipts, state, willAnswer, written };
};
