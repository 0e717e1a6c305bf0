import { assert, it } from "@effect/vitest";
import { restartDelayMillis } from "../../../src/streams/embedded/restart-delay.ts";

it("doubles from 100 ms to 10 s and stays there", () => {
  assert.deepStrictEqual(
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000_000].map(restartDelayMillis),
    [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000],
  );
});
