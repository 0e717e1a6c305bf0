import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { drillFigures } from "../support/drill-command.ts";

/** Small: four customers, phases of six seconds. What each of them must show beside its own bars. */
const drills: ReadonlyArray<readonly [name: string, exercised: ReadonlyArray<string>]> = [
  ["empty-config", ["removedPercentMax"]],
  ["exploding-config", ["addedPercentMax"]],
  ["buffer-wave", ["residentBuffersMax"]],
  ["hot-customer", ["backlogBytesPerCustomerMax"]],
  ["disk-full", ["unscannedPercentMax"]],
  ["poison-record", []],
];

describe("a drill on a cluster of its own holds its bars, and reaches the limits that it is about", () => {
  for (const [name, exercised] of drills) {
    it.live(
      name,
      () =>
        Effect.gen(function* () {
          const { code, figures, stderr } = yield* drillFigures([name, "--customers", "6"]);
          assert.deepStrictEqual(figures["barsMissed"], [], stderr);
          assert.strictEqual(code, 0);
          assert.isAbove(figures["configuredOffered"], 6 * 50 * 15);
          assert.includeMembers(figures["limitsExercised"], [...exercised], stderr);
        }).pipe(Effect.scoped),
      150_000,
    );
  }
});
