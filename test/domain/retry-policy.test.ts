import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { retryAfterCapMillis, retryDelayMillis } from "../../src/domain/retry-policy.ts";

const policy = { baseMillis: 500, maxMillis: 60_000 };

describe("retry policy", () => {
  it("waits at most what the table says after each attempt", () => {
    const table: ReadonlyArray<readonly [attempt: number, longestMillis: number]> = [
      [1, 500],
      [2, 1_000],
      [3, 2_000],
      [4, 4_000],
      [5, 8_000],
      [6, 16_000],
      [7, 32_000],
      [8, 60_000],
      [9, 60_000],
      [1_000_000, 60_000],
    ];
    for (const [attempt, longestMillis] of table) {
      assert.strictEqual(retryDelayMillis(policy, attempt, 0, undefined), 0);
      assert.strictEqual(retryDelayMillis(policy, attempt, 0.5, undefined), longestMillis / 2);
      assert.strictEqual(retryDelayMillis(policy, attempt, 1 - Number.EPSILON, undefined), longestMillis - 1);
    }
  });

  it("never waits less than the destination asked for, nor lets it ask for more than an hour", () => {
    assert.strictEqual(retryDelayMillis(policy, 1, 0, 7_000), 7_000);
    assert.strictEqual(retryDelayMillis(policy, 8, 0.9, 7_000), 54_000);
    assert.strictEqual(retryDelayMillis(policy, 1, 0, 86_400_000), retryAfterCapMillis);
    assert.strictEqual(retryAfterCapMillis, 3_600_000);
  });

  it("is a whole number of milliseconds between the floor and the ceiling, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.option(fc.nat(10_000_000), { nil: undefined }),
        (attempt, jitter, retryAfterMillis) => {
          const delay = retryDelayMillis(policy, attempt, jitter, retryAfterMillis);
          assert.isTrue(Number.isInteger(delay));
          assert.isAtLeast(delay, Math.min(retryAfterMillis ?? 0, retryAfterCapMillis));
          assert.isAtMost(delay, Math.max(policy.maxMillis, retryAfterCapMillis));
        },
      ),
    );
  });
});
