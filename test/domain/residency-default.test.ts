import { assert, describe, it } from "vitest";
import { residentBuffersDefault } from "../../src/domain/residency-default.ts";

const gib = 2 ** 30;

describe("how many buffers are resident when nobody says", () => {
  const cases: ReadonlyArray<readonly [memory: number, heap: number, expected: number]> = [
    [8 * gib, 4 * gib, 69_905],
    [2 * gib, 4 * gib, 21_845],
    [1 * gib, gib / 2, 8_738],
    [16_777_216, 16_777_216, 1_000],
    [1_024 * gib, 1_024 * gib, 250_000],
  ];
  for (const [memory, heap, expected] of cases) {
    it(`is ${expected} with ${memory / gib} GiB of memory and a heap of ${heap / gib} GiB`, () => {
      assert.strictEqual(residentBuffersDefault(memory, heap), expected);
    });
  }
});
