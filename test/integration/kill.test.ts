import { assert, describe, inject, it } from "vitest";
import { killRun, type Victim } from "../support/kill-run.ts";

/** `KILL_SEEDS=1-10` (default) chooses the seeds, which a failure names. */
const seeds = (): ReadonlyArray<number> => {
  const [first = 1, last = 10] = (process.env["KILL_SEEDS"] ?? "1-10").split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
};

const victims: ReadonlyArray<readonly [Victim, string]> = [
  ["group", "Spillway and its nats-server at once"],
  ["spillway", "Spillway alone"],
  ["nats-server", "nats-server alone"],
];

// Side by side: each run mostly waits, and the load of the others moves the moment of the kill about.
describe.concurrent.each(victims)("kill -9 of the %s", (victim) => {
  it.concurrent.each(seeds())(
    "loses nothing that was acknowledged and stores nothing twice (seed %i)",
    async (seed) => {
      const result = await killRun(inject("natsServer"), victim, seed);
      assert.isAbove(result.acknowledged, 0, "the run acknowledged nothing: it proves nothing");
      assert.deepStrictEqual(result.missing, [], "acknowledged and not delivered");
      assert.deepStrictEqual(result.duplicated, [], "delivered twice");
      assert.strictEqual(result.unexplained, 0, "the books balance");
      assert.strictEqual(result.auditDifference, 0, "the recount agrees with the books");
      assert.strictEqual(result.pending, 0);
    },
  );
});
