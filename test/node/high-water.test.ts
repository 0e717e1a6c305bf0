import { assert, it } from "@effect/vitest";
import { HighWater } from "../../src/node/high-water.ts";

it("keeps the highest use that was seen, and says nothing of what is not measured", () => {
  let bytes = 5;
  const uses = new HighWater({ windowBytesMax: () => bytes });
  assert.deepStrictEqual(uses.use("windowBytesMax"), { usage: 5, highWater: 5 });
  bytes = 90;
  uses.sample();
  bytes = 7;
  assert.deepStrictEqual(uses.use("windowBytesMax"), { usage: 7, highWater: 90 });
  assert.isUndefined(uses.use("jobsMax"));
});
