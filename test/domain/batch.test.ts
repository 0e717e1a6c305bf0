import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { batchId, type BatchRef, compactDate, compactTime, objectKey } from "../../src/domain/batch.ts";

const batch: BatchRef = {
  first: 12,
  last: 48,
  records: 3,
  bytes: 99,
  startMillis: Date.UTC(2024, 10, 14, 11, 43, 7, 123),
  endMillis: Date.UTC(2024, 10, 15, 0, 0, 1, 0),
  closedBy: "size",
};

const millis = fc.integer({ min: 0, max: 4_102_444_800_000 });
const hex = fc.stringMatching(/^[0-9a-f]{8}$/);

describe("compact times", () => {
  it("writes a moment as its UTC second and its UTC day", () => {
    assert.strictEqual(compactTime(batch.startMillis), "20241114T114307Z");
    assert.strictEqual(compactDate(batch.startMillis), "20241114");
  });

  it("can be read back to the second, and sorts as time does", () => {
    fc.assert(
      fc.property(millis, millis, (a, b) => {
        const text = compactTime(a);
        const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)!.map(Number);
        assert.strictEqual(Date.UTC(y!, mo! - 1, d, h, mi, s), Math.floor(a / 1_000) * 1_000);
        const seconds = Math.floor(a / 1_000) - Math.floor(b / 1_000);
        assert.strictEqual(Math.sign(seconds), text < compactTime(b) ? -1 : text === compactTime(b) ? 0 : 1);
      }),
    );
  });
});

describe("object key", () => {
  it("is the path, the times of the range and eight digits of the id", () => {
    const key = objectKey("logs/{DATE}/http", batch, "0123abcd");
    assert.strictEqual(key, "logs/20241114/http/20241114T114307Z_20241115T000001Z_0123abcd.log.gz");
  });

  it("takes the day of the first record, wherever the path names it", () => {
    assert.match(objectKey("{DATE}/{DATE}", batch, "0123abcd"), /^20241114\/20241114\//);
  });

  it("never begins with a slash and depends on nothing but its arguments", () => {
    const path = fc
      .array(fc.constantFrom("/", "a", "b c", "{DATE}", "ü"), { maxLength: 6 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(path, millis, fc.nat(100_000), hex, (where, startMillis, length, digits) => {
        const range = { ...batch, startMillis, endMillis: startMillis + length };
        const key = objectKey(where, range, digits);
        assert.isFalse(key.startsWith("/"));
        assert.notInclude(key, "{DATE}");
        assert.strictEqual(key, objectKey(where, { ...range }, digits));
        assert.isTrue(key.endsWith(`${compactTime(range.endMillis)}_${digits}.log.gz`));
        assert.strictEqual(key.split("/").at(-1)!.length, 49);
      }),
    );
  });

  it("differs between batches of one second by the digits of their ids alone", () => {
    const ids = [batch, { ...batch, last: 49 }, { ...batch, first: 13 }].map((each) => batchId("i", "job", each));
    assert.strictEqual(new Set(ids).size, 3);
    assert.strictEqual(ids[0], "i_job_12-48");
    assert.notStrictEqual(batchId("i2", "job", batch), ids[0]);
    assert.notStrictEqual(batchId("i", "job2", batch), ids[0]);
  });
});
