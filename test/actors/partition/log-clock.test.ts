import { assert, describe, it } from "@effect/vitest";
import { LogClock } from "../../../src/actors/partition/log-clock.ts";

const hour = 3_600_000;

describe("the log's clock", () => {
  it("goes on from the last time that was seen, however far the two clocks are apart", () => {
    for (const apart of [0, hour, -hour]) {
      const clock = new LogClock();
      clock.see(10 * hour + apart, 10 * hour);
      assert.strictEqual(clock.at(10 * hour + 1_500), 10 * hour + apart + 1_500);
    }
  });

  it("is ours before anything was seen", () => {
    const clock = new LogClock();
    clock.see(undefined, 5);
    assert.strictEqual(clock.at(7), 7);
  });

  it("loses at most what had passed when ours is set back in the middle of a silence", () => {
    const clock = new LogClock();
    clock.see(1_000, 10 * hour);
    assert.strictEqual(clock.at(9 * hour), 1_000);
    assert.strictEqual(clock.at(9 * hour + 700), 1_700);
  });

  it("follows the server's, set back or not", () => {
    const clock = new LogClock();
    clock.see(10 * hour, 0);
    clock.see(9 * hour, 100);
    assert.strictEqual(clock.at(200), 9 * hour + 100);
  });
});
