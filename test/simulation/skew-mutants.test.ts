import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { assert } from "vitest";
import { simulateSkew } from "./skew/simulate-skew.ts";
import type { Mutant } from "./skew/skew-world.ts";

/** That `skew.test.ts` can fail: what each of these protections alone is good for. */

/** The first of so many seeds that fails without what the mutant takes away. */
const noticed = Effect.fnUntraced(function* (mutant: Mutant) {
  for (let seed = 1; seed <= 30; seed++) {
    const told = yield* simulateSkew(seed, mutant).pipe(
      Effect.as(undefined),
      Effect.catchCause((cause) => Effect.succeed(String(cause))),
    );
    if (told !== undefined) return told;
  }
  return "nothing";
});

describe("forwarders and owners on different snapshots", () => {
  it.live(
    "would, were chunks without the number of their snapshot",
    () => Effect.map(noticed("noNumbers"), (told) => assert.include(told, "accepted for it, and not delivered")),
    300_000,
  );

  it.live(
    "would, were there no grace for what is removed",
    () => Effect.map(noticed("noGrace"), (told) => assert.include(told, "accepted for it, and not delivered")),
    300_000,
  );

  it.live(
    "would go back in time, did the register not say which snapshot its owner had",
    () => Effect.map(noticed("olderTakesOver"), (told) => assert.include(told, "the partition went back to set")),
    300_000,
  );
});
