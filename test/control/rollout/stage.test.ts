import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { stageOf } from "../../../src/control/rollout/stage.ts";
import { segmentOf } from "../../../src/domain/segment-of.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { entry, Snapshots } from "../../snapshot/snapshot-fixture.ts";

const names = Array.from({ length: 500 }, (_, i) => `customer-${i}`);
/** In the first half of the customers, and in the second. */
const [early, late] = [names.find((name) => segmentOf(name) < 512)!, names.find((name) => segmentOf(name) >= 512)!];

const served = (made: Snapshots, snapshot: Snapshot) =>
  made
    .entries(snapshot)
    .filter(({ state }) => state === "enabled")
    .map(({ customer, id }) => `${id} ${customer}`);

describe("a step of a rollback", () => {
  for (const [what, before, after] of [
    ["a later step's", early, late],
    ["an earlier step's", late, early],
  ] as const) {
    it.effect(`never has an id as a job of two customers: now it is of ${what}`, () =>
      Effect.gen(function* () {
        const made = new Snapshots();
        const first = (yield* made.next([entry("x", before), entry("y", "someone")])).snapshot;
        yield* made.next([entry("x", before, { revision: 2, state: "removed" })]);
        const now = (yield* made.next([entry("x", after, { revision: 3 })])).snapshot;
        const target = { ...first, manifest: { ...first.manifest, number: 9, rollbackOf: 1 } };
        const half = yield* stageOf(now, target, { number: 4, percent: 50, previous: 3 });
        const jobs = served(made, half.snapshot).filter((each) => each.startsWith("x"));
        assert.deepStrictEqual(jobs, [...new Set(jobs)]);
        assert.isAtMost(jobs.length, 1, jobs.join());
        assert.strictEqual(half.snapshot.manifest.totals.jobs, served(made, half.snapshot).length);
        const all = yield* stageOf(now, target, { number: 5, percent: 100, previous: 4 });
        assert.sameMembers(served(made, all.snapshot), [`x ${before}`, "y someone"]);
      }),
    );
  }
});
