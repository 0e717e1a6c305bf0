import { assert, describe, it } from "@effect/vitest";
import { Effect, Logger } from "effect";
import { TestClock } from "effect/testing";
import { HeldBack } from "../../src/forwarder/held-back.ts";
import { keepRefusalReceipts } from "../../src/forwarder/keep-refusal-receipts.ts";
import { otherCustomers, RefusalPeriods, type RefusalReceipt } from "../../src/forwarder/refusal-periods.ts";
import type { HeldBackReason } from "../../src/forwarder/refusals.ts";
import { refusalSubject } from "../../src/streams/subjects.ts";
import { makePair } from "../../src/domain/partition.ts";

const options = {
  nodeName: "node-a",
  refusalPeriodsMax: 2,
  refusalQuietMillis: 60_000,
  refusalPeriodMillisMax: 600_000,
};
const quiet = Logger.layer([]);

const refused = (customer: string, records: number, reason: HeldBackReason = "over-quota") => [
  { pair: makePair(customer, "app_log", 4), reason, records, bytes: records * 10 },
];
const brief = ({ customer, millis, records, refusal }: RefusalReceipt) => [
  customer,
  refusal.door,
  records,
  refusal.fromMillis,
  millis,
];

describe("what a body's held back records are counted as", () => {
  it("is one sum per customer's dataset, however they take turns", () => {
    const heldBack = new HeldBack();
    const [a, b] = [makePair("a", "app_log", 4), makePair("b", "app_log", 4)];
    for (const pair of [a, a, b, a]) heldBack.add(pair, "over-quota", 7);
    assert.deepStrictEqual(
      [...heldBack.pairs()],
      [
        { pair: a, reason: "over-quota", records: 3, bytes: 21 },
        { pair: b, reason: "over-quota", records: 1, bytes: 7 },
      ],
    );
  });
});

describe("periods of refusals", () => {
  it("end when nothing was refused for a while, each customer's and each reason's by itself", () => {
    const periods = new RefusalPeriods(options);
    periods.add(refused("a", 3), 1_000);
    periods.add(refused("a", 4), 31_000);
    periods.add(refused("a", 5, "newcomer"), 2_000);
    assert.deepStrictEqual(periods.due(61_999, 10, false), []);
    assert.deepStrictEqual(periods.due(62_000, 10, false).map(brief), [["a", "newcomer", 5, 2_000, 2_000]]);
    const due = periods.due(91_000, 10, false);
    assert.deepStrictEqual(due.map(brief), [
      ["a", "over-quota", 7, 1_000, 31_000],
      ["a", "newcomer", 5, 2_000, 2_000],
    ]);
    assert.deepInclude(due[0], { bytes: 70, firstSequence: 0, lastSequence: 0, job: "_door", reason: "refused" });
    periods.stored(due);
    assert.strictEqual(periods.size, 0);
  });

  it("are told while they go on, once per while, and nothing is counted twice or forgotten", () => {
    const periods = new RefusalPeriods(options);
    const told: Array<RefusalReceipt> = [];
    for (let at = 0; at < 1_500_000; at += 10_000) {
      periods.add(refused("a", 1), at);
      const due = periods.due(at, 10, false);
      periods.stored(due);
      told.push(...due);
    }
    assert.strictEqual(told.length, 2);
    told.push(...periods.due(1_500_000, 10, true));
    assert.strictEqual(
      told.reduce((sum, { records }) => sum + records, 0),
      150,
    );
    const subjects = told.map((receipt) => refusalSubject(0, "a", "app_log", receipt.refusal));
    assert.strictEqual(new Set(subjects).size, 3);
  });

  it("do not change once they ended: what is refused while one cannot be stored goes into the next", () => {
    const periods = new RefusalPeriods(options);
    periods.add(refused("a", 1), 0);
    const [first] = periods.due(0, 10, true);
    periods.add(refused("a", 2), 0);
    assert.deepStrictEqual(periods.due(9_000_000, 10, true), [first!], "the very same, until it is stored");
    periods.stored([first!]);
    const [second] = periods.due(0, 10, true);
    assert.strictEqual(second!.records, 2);
    assert.notStrictEqual(second!.refusal.fromMillis, first!.refusal.fromMillis, "another subject");
  });

  it("are bounded: what is beyond is one line per reason, and every record is in one of them", () => {
    const periods = new RefusalPeriods(options);
    for (let i = 0; i < 80_000; i++) periods.add(refused(`c${i}`, 1, i % 2 === 0 ? "over-quota" : "log-full"), 5);
    assert.strictEqual(periods.size, 2);
    const due = periods.due(5, 100, true);
    assert.deepStrictEqual(due.map(brief), [
      ["c0", "over-quota", 1, 5, 5],
      ["c1", "log-full", 1, 5, 5],
      [otherCustomers, "over-quota", 39_999, 5, 5],
      [otherCustomers, "log-full", 39_999, 5, 5],
    ]);
    periods.stored(due);
    assert.strictEqual(periods.waiting(), 0);
  });
});

describe("keeping receipts of refusals", () => {
  const world = Effect.gen(function* () {
    const periods = new RefusalPeriods(options);
    const state = { away: false, stored: new Map<string, RefusalReceipt>() };
    const keeper = yield* keepRefusalReceipts(
      periods,
      (
        partition: number,
        receipts: ReadonlyArray<RefusalReceipt>,
      ): Effect.Effect<void, { readonly detail: string }> => {
        if (state.away) return Effect.fail({ detail: "away" });
        for (const receipt of receipts) {
          state.stored.set(refusalSubject(partition, receipt.customer, receipt.dataset, receipt.refusal), receipt);
        }
        return Effect.void;
      },
    );
    return { periods, state, keeper };
  });
  const recordsOf = (stored: ReadonlyMap<string, RefusalReceipt>) => [...stored.values()].map(({ records }) => records);

  it.effect("stores a period when it is over, and tries again while the store is away", () =>
    Effect.gen(function* () {
      const { periods, state } = yield* world;
      periods.add(refused("a", 3), 0);
      yield* TestClock.adjust(55_000);
      assert.deepStrictEqual(recordsOf(state.stored), []);
      state.away = true;
      yield* TestClock.adjust(30_000);
      periods.add(refused("a", 4), 85_000);
      yield* TestClock.adjust(600_000);
      assert.deepStrictEqual(recordsOf(state.stored), []);
      state.away = false;
      yield* TestClock.adjust(10_000);
      assert.deepStrictEqual(recordsOf(state.stored), [3, 4]);
      assert.strictEqual(periods.size, 0);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("stores what goes on when the node ends", () =>
    Effect.gen(function* () {
      const { keeper, periods, state } = yield* world;
      periods.add(refused("a", 3), 0);
      yield* keeper.finish;
      assert.deepStrictEqual(recordsOf(state.stored), [3]);
    }).pipe(Effect.scoped, Effect.provide(quiet), TestClock.withLive),
  );
});
