import { assert, describe, it } from "@effect/vitest";
import { LogClock } from "../../../src/actors/partition/log-clock.ts";

const hour = 3_600_000;

describe("the log's clock", () => {
  it("goes on from what the server said last, forward or set back", () => {
    const clock = new LogClock();
    assert.isUndefined(clock.at(5));
    clock.see(10 * hour, 100);
    assert.strictEqual(clock.at(1_600), 10 * hour + 1_500);
    clock.see(undefined, 1_600);
    clock.see(9 * hour, 1_700);
    assert.strictEqual(clock.at(1_800), 9 * hour + 100);
  });

  it("takes a message for the least that it can be by now, and an old one for nothing", () => {
    const clock = new LogClock();
    clock.see(10 * hour, 0);
    clock.seeMessage(9 * hour, 100);
    assert.strictEqual(clock.at(100), 10 * hour + 100, "a backlog that is read is no clock that was set back");
    clock.seeMessage(11 * hour, 200);
    assert.strictEqual(clock.at(300), 11 * hour + 100);
  });

  it("is set back by a message that is older than the one before it: what has just come is not an hour old", () => {
    const clock = new LogClock();
    clock.see(10 * hour, 0);
    clock.seeMessage(10 * hour + 90, 100);
    clock.seeMessage(9 * hour + 190, 200);
    assert.strictEqual(clock.at(250), 9 * hour + 240);
  });
});
