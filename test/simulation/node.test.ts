import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { assert } from "vitest";
import { simulateNode } from "./node/simulate-node.ts";

/** Whole nodes, door to destination, with everything around them scripted. `SEED=n` runs one. */
const seeds = process.env["SEED"] === undefined ? Number(process.env["SEEDS"] ?? 8) : 1;
const firstSeed = Number(process.env["SEED"] ?? 1);

describe("a node, whatever happens", () => {
  it.live(
    "keeps what it acknowledged, accounts for every record, and one customer's trouble is nobody else's",
    () =>
      Effect.gen(function* () {
        const sums: Record<string, number> = {};
        for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
          const summary = yield* simulateNode(seed);
          for (const [what, count] of Object.entries(summary)) sums[what] = (sums[what] ?? 0) + count;
        }
        // The runs have run into what they are for.
        for (const [what, count] of Object.entries(sums)) assert.isAbove(count, seeds > 1 ? 5 : -1, what);
      }),
    180_000,
  );
});
