import { assert, describe, it } from "@effect/vitest";
import { type DatedSnapshot, keptSnapshots } from "../../../src/control/rollout/kept-snapshots.ts";

const hour = 3_600_000;
const day = 24 * hour;
const now = 1_000 * day;

/** One every minute, the newest at `now`. */
const everyMinute = (count: number): ReadonlyArray<DatedSnapshot> =>
  Array.from({ length: count }, (_, i) => ({ number: i + 1, createdMillis: now - (count - 1 - i) * 60_000 }));

describe("snapshots that somebody may want to go back to", () => {
  it("are the last one of each hour of a day, and of each day of two weeks", () => {
    const stored = everyMinute(30 * 24 * 60);
    const kept = keptSnapshots(stored, now);
    const ages = stored.filter(({ number }) => kept.has(number)).map(({ createdMillis }) => now - createdMillis);
    assert.isAtMost(ages.length, 25 + 15);
    assert.isAtMost(Math.max(...ages), 14 * day);
    for (let back = 0; back <= 23; back++) {
      assert.isTrue(
        ages.some((age) => age >= back * hour && age < (back + 1) * hour),
        `within hour ${back}`,
      );
    }
    for (let back = 0; back <= 13; back++) {
      assert.isTrue(
        ages.some((age) => age >= back * day && age < (back + 1) * day),
        `within day ${back}`,
      );
    }
  });

  it("are the same when they were thinned out before: what is kept today is kept tomorrow", () => {
    const stored = everyMinute(3 * 24 * 60);
    const kept = keptSnapshots(stored, now);
    const left = stored.filter(({ number }) => kept.has(number));
    assert.deepStrictEqual(keptSnapshots(left, now), kept);
    // A day later only hours were thinned to days.
    const later = keptSnapshots(left, now + day);
    assert.isAtLeast(later.size, 3);
    for (const number of later) assert.isTrue(kept.has(number));
  });

  it("are kept when a clock was wrong, and there are few of them all the same", () => {
    const ahead = Array.from({ length: 100 }, (_, i) => ({ number: i + 1, createdMillis: now + day + i * 1_000 }));
    const kept = keptSnapshots(ahead, now);
    assert.isTrue(kept.has(100));
    assert.isAtMost(kept.size, 2);
  });
});
