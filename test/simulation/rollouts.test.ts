import { describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as fc from "fast-check";
import { assert } from "vitest";
import type { Mutant } from "./rollouts/rollout-world.ts";
import { simulateRollouts, type Step, stepKinds } from "./rollouts/simulate-rollouts.ts";

/**
 * A cluster's whole path of configuration: job feed, generator, gate, rollout, leadership, each node's own gate
 * and what it adopts are the real ones. NATS, the stores and the disks are in memory, time is the test's.
 * `RUNS=n` runs more, `SEED=n` others; what fails is shrunk to the fewest steps with `SHRINK=1`.
 */
const runs = Number(process.env["RUNS"] ?? 6);
const seed = Number(process.env["SEED"] ?? 14_11_2024);

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...stepKinds),
  dice: fc.nat(10_000),
  waitMillis: fc.constantFrom(250, 500, 1_000, 2_000, 4_000),
});

const run = (steps: ReadonlyArray<Step>, mutant?: Mutant) => Effect.runPromise(simulateRollouts({ steps, mutant }));

const stepsOf = (...steps: ReadonlyArray<readonly [Step["kind"], number]>): ReadonlyArray<Step> =>
  steps.map(([kind, dice]) => ({ kind, dice, waitMillis: 4_000 }));

/** What each protection alone is good for: with it nothing happens, without it the judge has to see that. */
const guarded: ReadonlyArray<readonly [Mutant, ReadonlyArray<Step>, RegExp]> = [
  ["noGate", stepsOf(["breakGenerator", 1]), /nobody ordered stranger-/],
  ["noGate", stepsOf(["breakGenerator", 3]), /nobody ordered drill-/],
  ["noServingGate", stepsOf(["forge", 0]), /is gone, and nobody removed it|: nothing/],
  ["noServingGate", stepsOf(["edit", 0], ["forge", 4]), /back in time/],
  ["noServingGate", stepsOf(["edit", 0], ["forge", 8]), /nobody ordered drill-/],
  ["noLastKnownGood", stepsOf(["silence", 0], ["kill", 0], ["start", 0]), /serves nothing, and served 1 before/],
];

describe("rollouts of the configuration, whatever happens", () => {
  it("is what people ordered: never all, never none, never back but by a rollback, and in the end all of it", async () => {
    const sums: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 10, maxLength: 30 }), async (steps) => {
        for (const [what, count] of Object.entries(await run(steps))) sums[what] = (sums[what] ?? 0) + count;
      }),
      { numRuns: runs, seed, endOnFailure: process.env["SHRINK"] === undefined },
    );
    // The runs have run into what they are for.
    for (const what of ["adopted", "rolledBack", "staged", "refused", "fromDisk", "removed"])
      assert.isAbove(sums[what] ?? 0, runs > 1 ? 0 : -1, what);
  });

  for (const [mutant, steps, wrong] of guarded) {
    it(`is not without one of its protections: ${mutant}, ${steps.map(({ kind }) => kind).join(", ")}`, async () => {
      await run(steps);
      const failed = await run(steps, mutant).then(
        () => "nothing is wrong",
        (failure: unknown) => String(failure),
      );
      assert.match(failed, wrong);
    });
  }

  // Found by the property.
  it("comes to a node that was away while more was removed, step by step, than may be at once", async () => {
    const away = stepsOf(["kill", 1], ...Array.from({ length: 8 }, (_, i) => ["remove", 4 * i + 1] as const));
    const { caughtUp } = await run(away);
    assert.isAbove(caughtUp, 0);
  });

  it("comes to a node that was away while a removal was taken back and made again", async () => {
    const steps = stepsOf(["remove", 0], ["kill", 1], ["rollBack", 0], ["unfreeze", 0], ["start", 0]);
    const { fromDisk, refused, rolledBack } = await run(steps);
    assert.deepStrictEqual([refused, fromDisk > 0, rolledBack > 0], [0, true, true]);
  });

  it("comes to a node that was away while all went back, and then some of it came again", async () => {
    // What nobody may deliver holds the rest of it back, so that what is told lacks a customer and an edit.
    const steps = stepsOf(
      ["add", 0],
      ["edit", 0],
      ["edit", 3],
      ["cut", 1],
      ["rollBack", 4],
      ["redirectInside", 60],
      ["edit", 61],
      ["unfreeze", 0],
      ["cut", 1],
    );
    const { missedRollback, refused } = await run(steps);
    assert.deepStrictEqual([refused, missedRollback > 0], [0, true]);
  });

  it("goes on by itself when the job store answers again", async () => {
    const silent = stepsOf(["answerNothing", 0], ["remove", 0], ["answerNothing", 0]);
    const { helped, removed } = await run([...silent, ...stepsOf(["speak", 0], ["speak", 0])]);
    assert.deepStrictEqual([helped, removed > 0], [0, true]);
  });

  it("comes back from whoever has it when the store is lost, though one that was behind has led", async () => {
    // The second of them is told of nothing any more, and leads when all is gone but what each of them has.
    await run(stepsOf(["damage", 922], ["addMany", 0], ["wipe", 0], ["edit", 3]));
  });
});
