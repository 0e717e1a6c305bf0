import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { ContinuityWatch } from "../../../src/actors/partition/continuity.ts";

const writer = (number: number, over: { incarnation?: string; absent?: number; recordsBefore?: number } = {}) => ({
  incarnation: "w",
  absent: 0,
  recordsBefore: (number - 1) * 10,
  number,
  ...over,
});

const fresh = () => new ContinuityWatch({}, []);

describe("continuity watch", () => {
  it("takes an unseen incarnation as a baseline, wherever it begins", () => {
    const watch = fresh();
    assert.deepStrictEqual(watch.see(1, writer(41), 10), { _tag: "Next" });
    assert.deepStrictEqual(watch.see(2, writer(42), 10), { _tag: "Next" });
  });

  it("tells a resend that was stored twice, and remembers it for the sweep", () => {
    const watch = fresh();
    watch.see(1, writer(1), 10);
    watch.see(2, writer(2), 10);
    assert.deepStrictEqual(watch.see(3, writer(2), 10), { _tag: "Duplicate" });
    assert.deepStrictEqual(watch.see(4, writer(1), 10), { _tag: "Duplicate" });
    assert.deepStrictEqual(
      [1, 2, 3, 4].map((sequence) => watch.isDuplicate(sequence)),
      [false, false, true, true],
    );
    assert.deepStrictEqual(watch.see(5, writer(3), 10), { _tag: "Next" });
  });

  it("gives a gap its size in messages and records", () => {
    const watch = fresh();
    watch.see(1, writer(1), 10);
    assert.deepStrictEqual(watch.see(2, writer(5), 10), { _tag: "Gap", messages: 3, records: 30 });
    assert.deepStrictEqual(watch.see(3, writer(6), 10), { _tag: "Next" });
  });

  it("takes numbers for absent that the writer says are absent, and no others", () => {
    const watch = fresh();
    watch.see(1, writer(1), 10);
    assert.deepStrictEqual(watch.see(2, writer(4, { absent: 2, recordsBefore: 10 }), 10), { _tag: "Next" });
    assert.deepStrictEqual(watch.see(3, writer(8, { absent: 1, recordsBefore: 40 }), 10), {
      _tag: "Gap",
      messages: 2,
      records: 20,
    });
  });

  it("keeps incarnations apart", () => {
    const watch = fresh();
    watch.see(1, writer(1, { incarnation: "a" }), 10);
    watch.see(2, writer(1, { incarnation: "b" }), 10);
    assert.deepStrictEqual(watch.see(3, writer(2, { incarnation: "a" }), 10), { _tag: "Next" });
    assert.deepStrictEqual(watch.see(4, writer(2, { incarnation: "b" }), 10), { _tag: "Next" });
  });

  it("judges as before when the log is read again after a restart, from anywhere at or before the checkpoint", () => {
    const message = fc.record({ incarnation: fc.constantFrom("a", "b"), resend: fc.boolean(), skip: fc.boolean() });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), fc.nat(30), fc.nat(30), (messages, savedAt, readFrom) => {
        const numbers = new Map<string, number>();
        const log = messages.map(({ incarnation, resend, skip }) => {
          const last = numbers.get(incarnation) ?? 0;
          const number = resend && last > 0 ? last : last + (skip ? 2 : 1);
          numbers.set(incarnation, number);
          return writer(number, { incarnation });
        });
        const first = fresh();
        const duplicates = log.map((each, i) => first.see(i + 1, each, 10)._tag === "Duplicate");
        const before = fresh();
        const saved = Math.min(savedAt, log.length);
        for (const [i, each] of log.slice(0, saved).entries()) before.see(i + 1, each, 10);
        const again = new ContinuityWatch(before.writers(), before.duplicatesAfter(0));
        const from = Math.min(readFrom, saved);
        const judged = log.slice(from).map((each, i) => again.see(from + i + 1, each, 10)._tag === "Duplicate");
        assert.deepStrictEqual(judged, duplicates.slice(from));
      }),
    );
  });

  it("forgets duplicates below the low-water mark, and keeps those above", () => {
    const watch = fresh();
    watch.see(1, writer(1), 10);
    watch.see(2, writer(1), 10);
    watch.see(3, writer(1), 10);
    assert.deepStrictEqual(watch.duplicatesAfter(0), [2, 3]);
    assert.deepStrictEqual(watch.duplicatesAfter(2), [3]);
    // Asking forgets nothing: the mark may not land.
    assert.isTrue(watch.isDuplicate(2));
    watch.forgetDuplicates(2);
    assert.isFalse(watch.isDuplicate(2));
    assert.isTrue(watch.isDuplicate(3));
  });

  it("remembers the 256 incarnations that were seen last", () => {
    const watch = fresh();
    for (let i = 1; i <= 256; i++) watch.see(i, writer(1, { incarnation: `w${i}` }), 10);
    watch.see(257, writer(2, { incarnation: "w1" }), 10);
    watch.see(258, writer(1, { incarnation: "new" }), 10);
    const known = Object.keys(watch.writers());
    assert.strictEqual(known.length, 256);
    assert.include(known, "w1");
    assert.notInclude(known, "w2");
    assert.include(known, "new");
  });
});
