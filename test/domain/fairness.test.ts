import { assert, describe, it } from "vitest";
import { jainIndex } from "../../src/domain/fairness.ts";

describe("Jain's index", () => {
  it("is 1 for equal shares, one nth for a monopoly, and 1 when there is nothing to share", () => {
    assert.strictEqual(jainIndex([3, 3, 3]), 1);
    assert.strictEqual(jainIndex([5, 0, 0, 0]), 0.25);
    assert.strictEqual(jainIndex([]), 1);
    assert.strictEqual(jainIndex([0, 0]), 1);
    assert.closeTo(jainIndex([1, 2]), 0.9, 1e-9);
  });
});
