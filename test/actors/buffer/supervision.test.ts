import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { gunzipSync } from "node:zlib";
import type { Buffer as JobBuffer } from "../../../src/actors/buffer/buffer.ts";
import { afterCrash } from "../../../src/actors/buffer/crash-policy.ts";
import type { PushRequest } from "../../../src/actors/ports/destinations.ts";
import { deferred, delivered, type PushOutcome, rejected } from "../../../src/domain/push-outcome.ts";
import { layerLetters } from "../../support/scripted-letters.ts";
import { actorOptions, actorsOver, chunk, give, receipts, settle, started } from "./actor-world.ts";

/** What the sweep does for a buffer that lags: offers what it has lost. */
const feedAgain = (buffer: JobBuffer, sequence: number): void => {
  if (buffer.wantsSweep() && buffer.fedTo < sequence) buffer.feed(sequence, 1_000, chunk);
};

const linesOf = ({ body }: PushRequest): ReadonlyArray<string> =>
  gunzipSync(Buffer.concat(body)).toString().trimEnd().split("\n");

const policy = { quarantineCrashesMax: 3, quarantineWindowMillis: 1_000 };

describe("the crash policy", () => {
  it("restarts with growing delays, and quarantines after so many crashes within its window", () => {
    assert.deepStrictEqual(afterCrash([0], policy), { _tag: "Restart", delayMillis: 100 });
    assert.deepStrictEqual(afterCrash([0, 100], policy), { _tag: "Restart", delayMillis: 200 });
    assert.deepStrictEqual(afterCrash([0, 100, 300], policy), { _tag: "Quarantine", crashes: 3 });
    // The first one is forgotten.
    assert.deepStrictEqual(afterCrash([0, 100, 1_050], policy), { _tag: "Restart", delayMillis: 200 });
  });
});

describe("a buffer that crashes again and again", () => {
  it.effect("is quarantined with its evidence, keeps its cursor, goes on when told to, and nobody else notices", () => {
    let broken = true;
    return Effect.gen(function* () {
      const bad = yield* started("job-bad");
      const good = yield* started("job-good");
      give(bad, 1);
      for (let round = 0; round < 10; round++) {
        give(good, round + 1);
        yield* settle;
        yield* TestClock.adjust("2 seconds");
        feedAgain(bad, 1);
        yield* settle;
      }
      assert.strictEqual(bad.actor?.delivery(), "quarantined");
      assert.strictEqual(bad.crashes, actorOptions.quarantineCrashesMax);
      assert.strictEqual(bad.cursor, 0);
      assert.deepInclude(bad.evidence, {
        event: "push.died",
        firstSequence: 1,
        lastSequence: 1,
        crashes: actorOptions.quarantineCrashesMax,
      });
      assert.include(bad.evidence?.error, "a defect");
      // The row says so: it stays isolated after a restart of the node.
      const { row } = bad.writeRow();
      assert.deepInclude(row.snapshot, { delivery: "quarantined" });
      assert.deepStrictEqual(row.evidence, bad.evidence);
      assert.strictEqual(good.cursor, 10);
      assert.strictEqual(good.crashes, 0);

      broken = false;
      bad.resume();
      bad.writeRow().landed();
      yield* settle;
      feedAgain(bad, 1);
      yield* settle;
      assert.strictEqual(bad.cursor, 1);
      assert.isUndefined(bad.evidence);
    }).pipe(
      Effect.provide(
        actorsOver((_, job) =>
          broken && job === "job-bad"
            ? Effect.andThen(Effect.yieldNow, Effect.die("a defect"))
            : Effect.succeed(delivered(200)),
        ),
      ),
    );
  });
});

describe("a buffer whose destination refuses the job", () => {
  it.effect("is suspended with its window given up, is probed now and then, and goes on when it is mended", () => {
    let answer: PushOutcome = rejected("unauthorised", "401", 401);
    let pushes = 0;
    return Effect.gen(function* () {
      const buffer = yield* started("job-1");
      give(buffer, 1);
      yield* settle;
      assert.strictEqual(buffer.actor?.delivery(), "suspended");
      assert.strictEqual(buffer.window.bytes(), 0);
      assert.strictEqual(buffer.ledger.pendingRecords, 10);
      assert.isFalse(buffer.wantsSweep());
      assert.strictEqual(buffer.lastError, "401");
      yield* TestClock.adjust(actorOptions.suspendedProbeMillis);
      feedAgain(buffer, 1);
      yield* settle;
      assert.strictEqual(pushes, 2);
      assert.strictEqual(buffer.actor?.delivery(), "suspended");
      answer = delivered(200);
      // Somebody does not want to wait for the next probe.
      buffer.resume();
      feedAgain(buffer, 1);
      yield* settle;
      assert.strictEqual(buffer.cursor, 1);
      assert.strictEqual(buffer.actor?.delivery(), "idle");
      const tail = buffer.recent().slice(-3);
      assert.deepStrictEqual(
        tail.map(({ delivery, event }) => [event, delivery]),
        [
          ["push.answered", "suspended"],
          ["buffer.resume", "pushing"],
          ["push.answered", "idle"],
        ],
      );
    }).pipe(
      Effect.provide(
        actorsOver(() =>
          Effect.sync(() => {
            pushes += 1;
            return answer;
          }),
        ),
      ),
    );
  });

  it.effect("is suspended when its host name never resolves, but not at once", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      give(buffer, 1);
      const seen: Array<string | undefined> = [];
      // More rounds than failures: while the host's circuit is open nothing is tried, and no attempt is counted.
      for (let round = 0; round < 40 && seen.at(-1) !== "suspended"; round++) {
        yield* settle;
        seen.push(buffer.actor?.delivery());
        feedAgain(buffer, 1);
        yield* TestClock.adjust(actorOptions.retryMillisMax);
      }
      assert.strictEqual(seen[0], "backingOff");
      assert.strictEqual(seen.at(-1), "suspended");
    }).pipe(Effect.provide(actorsOver(() => Effect.succeed(deferred("dns", "ENOTFOUND", { ambiguous: false }))))),
  );
});

describe("a poison record in a batch", () => {
  const poison = 6;
  const pushed: Array<ReadonlyArray<string>> = [];
  const stored: Array<number> = [];

  it.effect("becomes a dead letter, the others arrive, the books say so, and each step waits for its row", () =>
    Effect.gen(function* () {
      receipts.length = 0;
      const buffer = yield* started("job-1");
      const lines = Array.from({ length: 10 }, (_, i) => `{"n":${i}}\n`).join("");
      const own = { ...chunk, bytes: lines.length, data: Buffer.from(lines), to: lines.length };
      buffer.count(1, 1_000, own);
      buffer.feed(1, 1_000, own);
      for (let step = 0; step < 12; step++) {
        yield* settle;
        const before = pushed.length;
        yield* settle;
        assert.strictEqual(pushed.length, before, "no push before the row is written");
        buffer.writeRow().landed();
      }
      yield* settle;
      assert.strictEqual(buffer.cursor, 1);
      assert.deepStrictEqual(stored, [poison]);
      assert.lengthOf(pushed.flat(), 9);
      const { deadLettered, delivered: arrived, pending } = buffer.ledger.books();
      assert.deepStrictEqual([arrived.records, deadLettered.records, pending.records], [9, 1, 0]);
      assert.deepStrictEqual(
        receipts.map(({ firstSequence, lastSequence, reason, records }) => [
          firstSequence,
          lastSequence,
          reason,
          records,
        ]),
        [[1, 1, "deadLettered", 1]],
      );
    }).pipe(
      Effect.provide(
        actorsOver(
          (request) =>
            Effect.sync(() => {
              const got = linesOf(request);
              if (got.includes(`{"n":${poison}}`)) return rejected("data", "422", 422);
              pushed.push(got);
              return delivered(200);
            }),
          8,
          layerLetters(({ index }) =>
            Effect.sync(() => {
              stored.push(index);
              return { records: 1, bytes: 8 };
            }),
          ),
        ),
      ),
    ),
  );
});

describe("records that a destination will not get", () => {
  it.effect("are told to it in their place when the job asks for it, the same on every attempt", () => {
    const bodies: Array<ReadonlyArray<string>> = [];
    return Effect.gen(function* () {
      const buffer = yield* started("job-1", { markLoss: true });
      buffer.count(1, 1_000, chunk);
      assert.isTrue(buffer.mayMoveCursor(1));
      const receipt = buffer.moveCursor(1, "shed", "shed", { records: 10, bytes: 30 }, 5_000);
      assert.deepInclude(receipt, { firstSequence: 1, lastSequence: 1, records: 10, reason: "shed" });
      assert.strictEqual(buffer.ledger.pendingRecords, 0);
      buffer.count(2, 1_000, chunk);
      buffer.feed(2, 1_000, chunk);
      yield* settle;
      assert.lengthOf(bodies, 0, "no push before the row that names the mark is written");
      const { landed, row } = buffer.writeRow();
      assert.deepInclude(row.lossMark, { records: 10, reason: "shed" });
      landed();
      yield* settle;
      yield* TestClock.adjust(actorOptions.retryMillisMax);
      yield* settle;
      assert.lengthOf(bodies, 2);
      assert.deepStrictEqual(bodies[0], bodies[1]);
      assert.deepInclude(JSON.parse(bodies[0]![0]!), { spillway: "records-lost", records: 10, reason: "shed" });
      assert.lengthOf(bodies[0]!, 11);
      assert.strictEqual(buffer.cursor, 2);
      assert.strictEqual(buffer.ledger.books().delivered.records, 10);
      assert.isUndefined(buffer.lossMark);
    }).pipe(
      Effect.provide(
        actorsOver((request) =>
          Effect.sync(() => {
            bodies.push(linesOf(request));
            return bodies.length === 1 ? deferred("timeout", "no answer") : delivered(200);
          }),
        ),
      ),
    );
  });
});
