import { assert, it } from "@effect/vitest";
import { Effect, Metric } from "effect";
import { TestClock } from "effect/testing";
import { readLoop } from "../../../src/actors/partition/reader.ts";
import { recordsUnwantedTotal } from "../../../src/observability/delivery-metrics.ts";
import { addBuffer, chunkOf, logOf, messagesOf, partitionOf, rowOf, scriptedClaim } from "./partition-fixture.ts";

it.effect("the reader counts what no push job is for, once, and deals it to nobody", () =>
  Effect.gen(function* () {
    const log = messagesOf([
      { millis: 0, chunks: [chunkOf("a", 3), chunkOf("stranger", 5)] },
      { millis: 1, chunks: [chunkOf("other-stranger", 2)] },
      { millis: 2, chunks: [chunkOf("a", 1)] },
    ]);
    const state = partitionOf(scriptedClaim().claim, 0);
    const batch = { maxBytes: 1_000_000, maxRecords: 1_000, maxIntervalSeconds: 60 };
    const a = addBuffer(state, rowOf("job-a", "a"), batch);
    const before = (yield* Metric.value(recordsUnwantedTotal)).count;
    yield* Effect.forkChild(
      readLoop(state, { readBytesMax: 1_000_000, readIdleMillisMax: 100 }).pipe(Effect.provide(logOf(log))),
    );
    yield* TestClock.adjust("1 second");
    assert.strictEqual((yield* Metric.value(recordsUnwantedTotal)).count - before, 7);
    assert.strictEqual(a.ledger.books().accepted.records, 4);
    assert.strictEqual(state.position, 3);
  }),
);
