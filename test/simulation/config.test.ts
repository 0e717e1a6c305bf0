import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import fc from "fast-check";
import { assert } from "vitest";
import { simulateConfig, type Step, stepKinds } from "./config/simulate-config.ts";

const runs = Number(process.env["RUNS"] ?? 20);
const seed = Number(process.env["SEED"] ?? 14_11_2024);

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...stepKinds),
  dice: fc.nat(10_000),
  waitMillis: fc.constantFrom(250, 500, 1_000, 2_000, 4_000),
});

describe("the configuration, whatever happens", () => {
  it("x", { timeout: 120_000 }, async () => {
    const sums: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
        const counts = await Effect.runPromise(simulateConfig({ steps }));
        for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
      }),
      { numRuns: runs, seed, endOnFailure: process.env["SHRINK"] === undefined },
    );
    console.log(sums);
  });
});
