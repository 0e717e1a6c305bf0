import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { simulateConfig } from "./config/simulate-config.ts";

/** Job changes, faults, kills and reverts, whole nodes with a control process each. `SEED=n` runs one. */
const seeds = process.env["SEED"] === undefined ? Number(process.env["SEEDS"] ?? 3) : 1;
const firstSeed = Number(process.env["SEED"] ?? 1);

describe("the configuration, whatever happens", () => {
  it.live(
    "is never everybody's, never nobody's, never of yesterday, and in the end what was ordered",
    () =>
      Effect.gen(function* () {
        const sums: Record<string, number> = {};
        for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
          const counts = yield* simulateConfig(seed).pipe(
            Effect.tapCause(() => Effect.sync(() => void process.stderr.write(`simulation failed: SEED=${seed}\n`))),
          );
          for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
        }
        // The runs have run into what they are for.
        for (const [what, count] of Object.entries(sums)) assert.isAbove(count, seeds > 1 ? 3 : -1, what);
      }),
    180_000,
  );
});
