import { assert, describe, it } from "@effect/vitest";
import { unitOf } from "../../src/domain/limit-unit.ts";

describe("the unit of a limit", () => {
  for (const [name, unit] of [
    ["windowBytesMax", "bytes"],
    ["replayBytesPerSecondMax", "bytes/s"],
    ["newBuffersPerSecondMax", "per second"],
    ["checkpointMillis", "ms"],
    ["logMaxAgeSeconds", "s"],
    ["guardedPercent", "%"],
    ["jobsMax", "count"],
    ["pushesPerHostMax", "count"],
  ] as const) {
    it(`${name} is in ${unit}`, () => assert.strictEqual(unitOf(name), unit));
  }
});
