import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { assert } from "vitest";
import { SkewWalk, type WalkOptions } from "./skew-walk.ts";

/** `SEED=n` runs one, `SEEDS=n` as many, from `SEED` on. */
const firstSeed = Number(process.env["SEED"] ?? 1);
const asked = Number(process.env["SEEDS"] ?? (process.env["SEED"] === undefined ? 1_000 : 1));
const steps = 70;

/** The first seed that fails, and how. */
const failing = Effect.fnUntraced(function* (options: WalkOptions, first = 1, seeds = 1_000) {
  for (let seed = first; seed < first + seeds; seed++) {
    const told = yield* new SkewWalk(seed, options).run().pipe(
      Effect.as(undefined),
      Effect.catchCause((cause) => Effect.succeed(`SEED=${seed}: ${String(cause)}`)),
    );
    if (told !== undefined) return told;
  }
  return undefined;
});

describe("owners of one partition, one after the other, that are behind their forwarders", () => {
  it.effect("lose nothing, book everything once, and give nothing up that is due", () =>
    Effect.map(failing({ steps }, firstSeed, asked), (told) => assert.isUndefined(told)),
  );

  it.effect("would give up what is due, did chunks not tell of their set", () =>
    Effect.map(failing({ steps, without: "numbers" }), (told) => assert.match(told ?? "", /was due and has not got/)),
  );

  it.effect("would book twice, did a row not tell of lives of its name that its log still has", () =>
    Effect.map(failing({ steps, without: "formerLives" }), (told) => assert.isDefined(told)),
  );
});
