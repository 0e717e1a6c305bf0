import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import type { Buffer } from "../../../src/actors/buffer/buffer.ts";
import { Deadlines } from "../../../src/actors/partition/deadlines.ts";

/** All that the heap asks of a buffer. */
const bufferDueAt = (millis: number | undefined, startMillis = Number.NEGATIVE_INFINITY) =>
  ({ window: { deadlineMillis: () => millis, openStartMillis: () => startMillis } }) as unknown as Buffer;

describe("deadlines", () => {
  it("yields what a sorted list would, whatever comes in between", () => {
    const step = fc.oneof(fc.record({ watch: fc.nat(100) }), fc.record({ due: fc.nat(100) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const deadlines = new Deadlines();
        let expected: Array<number> = [];
        for (const each of steps) {
          if ("watch" in each) {
            deadlines.watch(bufferDueAt(each.watch));
            expected = [...expected, each.watch].toSorted((a, b) => a - b);
          } else {
            const due = [...deadlines.due(each.due)].map(({ window }) => window.deadlineMillis());
            assert.deepStrictEqual(
              due,
              expected.filter((millis) => millis <= each.due),
            );
            expected = expected.filter((millis) => millis > each.due);
          }
          assert.strictEqual(deadlines.next(), expected[0]);
        }
      }),
    );
  });

  it("yields what began after a time that the clock was set back to, once, and nothing that began before", () => {
    const deadlines = new Deadlines();
    const [early, late] = [bufferDueAt(150, 50), bufferDueAt(300, 200)];
    for (const buffer of [early, late]) deadlines.watch(buffer);
    assert.deepStrictEqual([...deadlines.due(200)], [early], "time goes on");
    deadlines.watch(early);
    assert.deepStrictEqual([...deadlines.due(100)], [late]);
    assert.deepStrictEqual([...deadlines.due(120)], []);
  });

  it("are due at their time, or once for all when the clock was set back, and not for a little skew", () => {
    const deadlines = new Deadlines();
    assert.isFalse(deadlines.isDue(Number.NEGATIVE_INFINITY));
    deadlines.watch(bufferDueAt(9_000, 8_000));
    assert.deepStrictEqual(
      [7_500, 8_500, 9_000, 6_000].map((millis) => deadlines.isDue(millis)),
      [false, false, true, true],
    );
    assert.lengthOf([...deadlines.due(6_000)], 1);
    assert.isFalse(deadlines.isDue(6_000), "who was told of it need not be told again");
  });

  it("has nothing to watch of a buffer without an open batch", () => {
    const deadlines = new Deadlines();
    deadlines.watch(bufferDueAt(undefined));
    assert.isUndefined(deadlines.next());
    assert.deepStrictEqual([...deadlines.due(Infinity)], []);
  });
});
