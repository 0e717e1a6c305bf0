import { assert, describe, it } from "vitest";
import { jain, maxMinShares } from "../../src/domain/fairness.ts";

describe("Jain's index", () => {
  it("is 1 for equal shares, one nth for a monopoly, and undefined when there is nothing to compare", () => {
    assert.strictEqual(jain([3, 3, 3]), 1);
    assert.strictEqual(jain([5, 0, 0, 0]), 0.25);
    assert.isUndefined(jain([]));
    assert.isUndefined(jain([7]));
    assert.strictEqual(jain([0, 0]), 1);
    assert.closeTo(jain([1, 2])!, 0.9, 1e-9);
  });
});

describe("max-min shares", () => {
  it("give the modest what they ask for, and share the rest among the others", () => {
    assert.deepStrictEqual(maxMinShares([1, 100, 2, 100], 23), [1, 10, 2, 10]);
    assert.deepStrictEqual(maxMinShares([1, 2], 100), [1, 2]);
    assert.deepStrictEqual(maxMinShares([], 5), []);
  });
});
