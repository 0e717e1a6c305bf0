import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { drillFigures } from "../support/drill-command.ts";

describe("snapshots that are damaged on their way", () => {
  it.live(
    "change nothing where nodes go on with the last good one; where they do not, a series of runs shows what that is for",
    () =>
      Effect.gen(function* () {
        const small = ["corrupt-snapshot", "--customers", "6", "--seconds-per-phase", "7"];
        const { code, figures, stderr } = yield* drillFigures([...small, "--guards", "off"]);
        assert.strictEqual(code, 0, stderr);
        const [on, off] = figures["runs"];
        assert.strictEqual(figures["runs"].length, 2);
        assert.match(stderr, /run 1 of 2: with every protection[\s\S]*run 2 of 2: without lastKnownGood/);
        assert.match(stderr, /bars missed without\n {2}lastKnownGood +.*configuredLost \d+ > 0/);

        assert.deepStrictEqual(on.barsMissed, [], stderr);
        assert.deepInclude(on, { configuredLost: 0, requestsRefused: 0, unexplained: 0, restarts: 0 });
        assert.include(on.alerts, "configRefused");
        // Not before snapshots arrived whole, or nothing was shown.
        assert.isAbove(on.changeLiveSeconds, 0);

        // Every record that it had has a receipt.
        assert.deepStrictEqual(off.guardsOff, ["lastKnownGood"]);
        assert.isAbove(off.configuredLostPercent, 10, stderr);
        assert.isAbove(off.requestsRefused, 0);
        assert.isAtLeast(off.lostWithReceipt, off.acknowledgedLost);
        assert.deepInclude(off, { unexplained: 0, restarts: 0 });
      }).pipe(Effect.scoped),
    240_000,
  );
});
