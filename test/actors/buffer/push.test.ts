import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Layer } from "effect";
import { DestinationHosts } from "../../../src/actors/destination-host/destination-hosts.ts";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { Buffer as JobBuffer, type BufferHost } from "../../../src/actors/buffer/buffer.ts";
import type { Chunk } from "../../../src/actors/ports/log.ts";
import { Destinations, type OpenDestination, type PushRequest } from "../../../src/actors/ports/destinations.ts";
import { PushJobId } from "../../../src/domain/ids.ts";
import { delivered, type PushOutcome } from "../../../src/domain/push-outcome.ts";
import { layerNoLetters } from "../../support/scripted-letters.ts";
import { hostLimits } from "../../support/host-limits.ts";
import { jobTo } from "../../destinations/push-jobs.ts";

const options = {
  retryBaseMillis: 100,
  retryMillisMax: 1_000,
  oldRevisionAttemptsMax: 2,
  suspendedProbeMillis: 10_000,
  unresolvedFailuresMax: 5,
  deadLettersInRowMax: 5,
  quarantineCrashesMax: 5,
  quarantineWindowMillis: 60_000,
};

const chunk: Chunk = {
  pairKey: "customer-1.http_requests",
  records: 10,
  bytes: 30,
  encoding: "raw",
  data: Buffer.from("{}\n".repeat(10)),
  from: 0,
  to: 30,
};

const host: BufferHost = {
  bounds: { bytesMax: 1_000_000, closedBatchesMax: 8 },
  partition: 0,
  isDuplicate: () => false,
  dirtied: () => {},
  addReceipt: () => {},
  mayPush: () => true,
  position: () => 0,
  wantCheckpoint: () => {},
  wantSweep: () => {},
  watchDeadline: () => {},
};

/** A buffer that closes a batch with every chunk, its first row written. */
const started = Effect.fnUntraced(function* (id: string) {
  const job = {
    ...jobTo({ kind: "http", url: "http://127.0.0.1:1/" }),
    id: PushJobId.make(id),
    batch: { maxBytes: 1_000_000, maxRecords: 10, maxIntervalSeconds: 30 },
  };
  const stored = { job, revision: 1 };
  const buffer = new JobBuffer(host, stored, stored, { row: undefined, start: 0 });
  yield* (yield* BufferActors).start(buffer, "incarnation", undefined, false);
  buffer.writeRow().landed();
  return buffer;
});

const give = (buffer: JobBuffer, sequence: number): void => {
  buffer.count(sequence, 1_000, chunk);
  buffer.feed(sequence, 1_000, chunk);
};

const actorsOver = (push: (request: PushRequest, job: string) => Effect.Effect<PushOutcome>, pushesInFlightMax = 8) =>
  BufferActors.layer(options).pipe(
    Layer.provide(DestinationHosts.layer({ ...hostLimits, pushesInFlightMax })),
    Layer.provide(layerNoLetters),
    Layer.provide(
      Layer.succeed(Destinations, {
        open: (job) =>
          Effect.succeed<OpenDestination>({
            push: (request) => push(request, job.id),
            locate: () => "test",
            host: "test",
          }),
      }),
    ),
  );

/** A few turns: what is due in microtasks and forked fibers has run. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true });

describe("pushes of a buffer", () => {
  it.effect("settle one batch after the other when the destination answers before its push returns", () => {
    const seen: Array<string> = [];
    return Effect.gen(function* () {
      const buffer = yield* started("job-1");
      for (const sequence of [1, 2, 3]) give(buffer, sequence);
      yield* settle;
      assert.deepStrictEqual(seen, ["1-1 1", "2-2 1", "3-3 1"]);
      assert.strictEqual(buffer.cursor, 3);
      assert.strictEqual(buffer.ledger.pendingRecords, 0);
      assert.strictEqual(buffer.actor?.delivery(), "idle");
    }).pipe(
      Effect.provide(
        actorsOver(({ attempt, batch }) => {
          seen.push(`${batch.first}-${batch.last} ${attempt}`);
          return Effect.succeed(delivered(200));
        }),
      ),
    );
  });

  it.effect("are interrupted by a drain, and what they answer afterwards moves no cursor", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<PushOutcome>();
      let interrupted = 0;
      yield* Effect.gen(function* () {
        const buffer = yield* started("job-1");
        give(buffer, 1);
        yield* settle;
        assert.strictEqual(buffer.actor?.delivery(), "pushing");
        buffer.actor?.send({ type: "buffer.drain" });
        yield* Deferred.succeed(answer, delivered(200));
        yield* settle;
        assert.strictEqual(interrupted, 1);
        assert.strictEqual(buffer.actor?.delivery(), "draining");
        assert.strictEqual(buffer.cursor, 0);
        assert.isTrue(buffer.actor?.context().ambiguous);
      }).pipe(
        Effect.provide(
          actorsOver(() =>
            Effect.onInterrupt(Deferred.await(answer), () =>
              Effect.sync(() => {
                interrupted += 1;
              }),
            ),
          ),
        ),
      );
    }),
  );

  it.effect("are interrupted when the actor is stopped", () => {
    let interrupted = 0;
    return Effect.gen(function* () {
      const buffer = yield* started("job-1");
      give(buffer, 1);
      yield* settle;
      yield* (yield* BufferActors).stop(buffer);
      yield* settle;
      assert.strictEqual(interrupted, 1);
    }).pipe(
      Effect.provide(
        actorsOver(() =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted += 1;
            }),
          ),
        ),
      ),
    );
  });

  for (const [how, defect] of [
    ["dies", () => Effect.die("a defect")],
    [
      "throws",
      () => {
        throw new Error("a defect");
      },
    ],
  ] as const) {
    it.effect(`crash their own buffer when the destination's code ${how}, and give their place back`, () =>
      Effect.gen(function* () {
        const broken = yield* started("job-broken");
        const whole = yield* started("job-whole");
        give(broken, 1);
        give(whole, 1);
        yield* settle;
        assert.strictEqual(broken.crashes, 1);
        assert.isUndefined(broken.actor);
        assert.strictEqual(broken.cursor, 0);
        give(whole, 2);
        yield* settle;
        assert.strictEqual(whole.cursor, 2);
        assert.strictEqual(whole.crashes, 0);
      }).pipe(
        Effect.provide(actorsOver((_, job) => (job === "job-broken" ? defect() : Effect.succeed(delivered(200))), 1)),
      ),
    );
  }
});
