import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { assert } from "vitest";
import { simulatePartition } from "./simulate-partition.ts";

/**
 * Whole partitions with everything around them scripted: reader, sweep, windows, actors, checkpoints and recovery are
 * the real ones. Faults, sizes, limits and even how often fibers give way are drawn from a seed. `SEED=n` runs one.
 */
const seeds = process.env["SEED"] === undefined ? Number(process.env["SEEDS"] ?? 120) : 1;
const firstSeed = Number(process.env["SEED"] ?? 1);

describe("a partition, whatever happens", () => {
  it.live(
    "delivers every chunk once per batch key, in order, in the batches of log and row, and its books balance",
    () =>
      Effect.gen(function* () {
        const sums = {
          all: 0,
          repeated: 0,
          ambiguous: 0,
          died: 0,
          objects: 0,
          deadLetters: 0,
          skipped: 0,
          hibernated: 0,
          woken: 0,
          refused: 0,
          evicted: 0,
        };
        for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
          const { deadLetters, objects, places, pushes, skipped } = yield* simulatePartition(seed);
          sums.deadLetters += deadLetters;
          sums.skipped += skipped;
          sums.objects += objects;
          for (const key of ["all", "repeated", "ambiguous", "died"] as const) sums[key] += pushes[key];
          for (const key of ["hibernated", "woken", "refused", "evicted"] as const) sums[key] += places[key];
        }
        // The runs have run into what they are for.
        for (const [what, count] of Object.entries(sums)) assert.isAbove(count, seeds > 1 ? 10 : -1, what);
      }),
    180_000,
  );
});
