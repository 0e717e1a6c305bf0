import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { fnv1a32, makePair, pairKey, partitionName, partitionOf } from "../../src/domain/partition.ts";

const id = fc.stringMatching(/^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$/);

/** FNV-1a in exact integers, to compare 32-bit arithmetic with. */
const fnv1aExact = (text: string): number => {
  let hash = 0x811c9dc5n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffff_ffffn;
  return Number(hash);
};

describe("partition", () => {
  it("hashes as FNV-1a's published vectors say", () => {
    const vectors = { "": 0x811c9dc5, a: 0xe40c292c, b: 0xe70c2de5, foo: 0xa9f37ed7, foobar: 0xbf9cf968 };
    for (const [text, hash] of Object.entries(vectors)) assert.strictEqual(fnv1a32(text), hash, text);
  });

  it("hashes as exact arithmetic does", () => {
    fc.assert(fc.property(id, (text) => assert.strictEqual(fnv1a32(text), fnv1aExact(text))));
  });

  it("is what NATS computes: the tokens joined without a separator, modulo the count", () => {
    fc.assert(
      fc.property(id, id, fc.integer({ min: 1, max: 1_024 }), (customer, dataset, partitions) => {
        const partition = partitionOf(customer, dataset, partitions);
        assert.strictEqual(partition, fnv1aExact(`${customer}${dataset}`) % partitions);
        assert.isTrue(Number.isInteger(partition) && partition >= 0 && partition < partitions);
      }),
    );
  });

  it("spreads customers evenly enough", () => {
    const counts = Array.from({ length: 8 }, () => 0);
    for (let i = 0; i < 8_000; i++) counts[partitionOf(`customer-${i}`, "http_requests", 8)]! += 1;
    for (const count of counts) assert.isTrue(count > 800 && count < 1_200, String(counts));
  });

  it("gives pairs keys that never collide", () => {
    fc.assert(
      fc.property(id, id, id, id, (customer, dataset, other, otherDataset) => {
        const isSame = customer === other && dataset === otherDataset;
        assert.strictEqual(pairKey(customer, dataset) === pairKey(other, otherDataset), isSame);
      }),
    );
    assert.deepStrictEqual(makePair("acme", "dns", 1), {
      customer: "acme",
      dataset: "dns",
      key: "acme.dns",
      partition: 0,
    });
  });

  it("names partitions with three digits, so that names sort as numbers", () => {
    assert.deepStrictEqual([0, 7, 63, 999].map(partitionName), ["000", "007", "063", "999"]);
  });
});
