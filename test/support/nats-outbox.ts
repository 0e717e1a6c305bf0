import { assert } from "@effect/vitest";
import { Effect, Layer, type Scope } from "effect";
import { ContinuityWatch } from "../../src/actors/partition/continuity.ts";
import type { JobSet } from "../../src/actors/ports/jobs.ts";
import type { Outbox } from "../../src/actors/ports/outbox.ts";
import type { Pair } from "../../src/domain/partition.ts";
import type { OutboxOptions } from "../../src/streams/outbox.ts";
import type { WrittenLines } from "./nats-lines.ts";
import { linesByPair, numbersByWriter, oneTo, readWholeLog } from "./nats-log.ts";
import { layerNats, layerOutboxFor, layerStores, prepareStreams, quiet } from "./world.ts";

/** An outbox and its log; `outboxUrl` may lead through a proxy while the log is read directly. */
export const withOutbox = <A, E>(
  options: { url: string; outboxUrl?: string; jobs: JobSet; partitions: number; limits?: Partial<OutboxOptions> },
  body: Effect.Effect<
    A,
    E,
    Scope.Scope | Outbox | Layer.Success<ReturnType<typeof layerStores>> | Layer.Success<ReturnType<typeof layerNats>>
  >,
) => {
  const outbox = layerOutboxFor(options.jobs, options.partitions, { publishAckMillisMax: 400, ...options.limits }).pipe(
    Layer.provide(layerNats(options.outboxUrl ?? options.url, "outbox")),
  );
  return prepareStreams(options.partitions).pipe(
    Effect.andThen(body.pipe(Effect.provide(outbox))),
    Effect.provide(layerStores().pipe(Layer.provideMerge(layerNats(options.url)), Layer.provideMerge(quiet))),
  );
};

const sorted = (map: Iterable<readonly [string, ReadonlyArray<string>]>) =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));

/** The log holds every line once, in order per pair, and the forwarder's running numbers are 1 to n. */
export const assertExact = Effect.fnUntraced(function* (partitions: number, written: WrittenLines) {
  const all = new Map<string, ReadonlyArray<string>>();
  for (let partition = 0; partition < partitions; partition++) {
    const messages = yield* readWholeLog(partition);
    for (const [pair, lines] of linesByPair(messages)) all.set(pair, lines);
    for (const numbers of numbersByWriter(messages).values()) assert.deepStrictEqual(numbers, oneTo(numbers.length));
    let before = 0;
    for (const { records, writer } of messages) {
      assert.strictEqual(writer?.recordsBefore, before);
      before += records;
    }
  }
  assert.deepStrictEqual(sorted(all), sorted(written.all()));
});

/** Enough for a batch of plain chunks: three pairs, each too large to travel in a mux message. */
export const largeRequest = (lines: WrittenLines, pairs: ReadonlyArray<Pair>) =>
  pairs.slice(0, 3).map((pair) => lines.next(pair, 150, 600));

/** As `assertExact`, but running numbers may be absent where the next message says so. */
export const assertStoredOnce = Effect.fnUntraced(function* (partitions: number, written: WrittenLines) {
  const all = new Map<string, ReadonlyArray<string>>();
  for (let partition = 0; partition < partitions; partition++) {
    const messages = yield* readWholeLog(partition);
    for (const [pair, lines] of linesByPair(messages)) all.set(pair, lines);
    const watch = new ContinuityWatch({}, []);
    for (const { records, sequence, writer } of messages)
      assert.deepStrictEqual(watch.see(sequence, writer!, records), { _tag: "Next" });
  }
  for (const [pair, lines] of written.all()) assert.deepStrictEqual(all.get(pair), lines);
});
