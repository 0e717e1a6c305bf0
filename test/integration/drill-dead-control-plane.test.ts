import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { drillFigures } from "../support/drill-command.ts";

describe("a control plane that is dead", () => {
  it.live(
    "delays nobody, is noticed by the others, and finds what was changed meanwhile",
    () =>
      Effect.gen(function* () {
        const args = ["dead-control-plane", "--customers", "6", "--seconds-per-phase", "6"];
        const { code, figures, stderr } = yield* drillFigures(args);
        assert.deepStrictEqual(figures["barsMissed"], [], stderr);
        assert.strictEqual(code, 0, stderr);
        assert.deepInclude(figures, { configuredLost: 0, unexplained: 0, restarts: 0, misdelivered: 0, problems: [] });
        assert.isAbove(figures["configuredOffered"], 6 * 50 * 18 * 0.8);
        // The one that is stopped cannot have said it.
        assert.strictEqual(figures["detectedBy"], "alert snapshotStale");
        // Not before anybody led again, or nothing was shown.
        assert.isAbove(figures["changeLiveSeconds"], 0);
      }).pipe(Effect.scoped),
    120_000,
  );
});
