import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { CustomerField } from "../../src/forwarder/customer-field.ts";
import { type PairIndex, PairIndexes } from "../../src/forwarder/pair-index.ts";
import { jobSetOf } from "./door-world.ts";

const lookUp = (index: PairIndex, customer: string): string | undefined => {
  const body = Buffer.from(`{"customer":"${customer}"}`);
  const field = new CustomerField(body, "customer");
  assert.strictEqual(field.find(0, body.length), "found");
  return index.ofField(field)?.key;
};

const id = fc.stringMatching(/^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$/);

describe("the index of pairs", () => {
  it("knows exactly the customers of its dataset, the first time and every time after", () => {
    fc.assert(
      fc.property(fc.uniqueArray(id, { maxLength: 300 }), fc.array(id, { maxLength: 20 }), (known, others) => {
        const set = jobSetOf(known.map((customer) => [customer, "logs"] as const));
        const index = new PairIndexes().of(set, "logs");
        for (let time = 0; time < 3; time++) {
          for (const customer of [...known, ...others]) {
            assert.strictEqual(lookUp(index, customer), set.pairs.get(`${customer}.logs`)?.key);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it("grows to thousands of customers", () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `customer-${n}`);
    const index = new PairIndexes().of(jobSetOf(names.map((name) => [name, "logs"] as const)), "logs");
    for (let time = 0; time < 2; time++) {
      for (const name of names) assert.strictEqual(lookUp(index, name), `${name}.logs`);
    }
    assert.isUndefined(lookUp(index, "customer-10000"));
  });

  it("forgets a customer with the set that had it, and keeps datasets apart", () => {
    const indexes = new PairIndexes();
    const before = jobSetOf([
      ["acme", "logs"],
      ["globex", "mixed"],
    ]);
    assert.strictEqual(lookUp(indexes.of(before, "logs"), "acme"), "acme.logs");
    assert.isUndefined(lookUp(indexes.of(before, "mixed"), "acme"));
    assert.strictEqual(indexes.of(before, "logs"), indexes.of(before, "logs"));
    const after = jobSetOf([["globex", "logs"]]);
    assert.isUndefined(lookUp(indexes.of(after, "logs"), "acme"));
    assert.strictEqual(lookUp(indexes.of(after, "logs"), "globex"), "globex.logs");
  });

  it("tells customers apart whose names have the same hash and length", () => {
    const [one, other] = ["z1swlqwy", "z1w2d7jq"] as const;
    const both = new PairIndexes().of(jobSetOf([one, other].map((name) => [name, "logs"] as const)), "logs");
    const alone = new PairIndexes().of(jobSetOf([[one, "logs"]]), "logs");
    for (let time = 0; time < 2; time++) {
      assert.deepStrictEqual([lookUp(both, one), lookUp(both, other)], [`${one}.logs`, `${other}.logs`]);
      assert.deepStrictEqual([lookUp(alone, one), lookUp(alone, other)], [`${one}.logs`, undefined]);
    }
  });
});
