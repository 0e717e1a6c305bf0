import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { drillFigures } from "../support/drill-command.ts";

/** Small, and the whole story: 8 customers, 320 strangers, places for 48 buffers. */
const run = (...args: ReadonlyArray<string>) =>
  drillFigures(["nov14", "--customers", "8", "--seconds-per-phase", "6", ...args]);

describe("14 November 2024, again", () => {
  it.live(
    "with every guard on: nobody loses a record, nobody waits longer, and it is said within 5 s",
    () =>
      Effect.gen(function* () {
        const { code, figures, stderr } = yield* run();
        assert.deepStrictEqual(figures["barsMissed"], [], stderr);
        assert.strictEqual(code, 0);
        assert.deepInclude(figures, {
          configuredLost: 0,
          unexplained: 0,
          restarts: 0,
          buffersMax: 8,
          misdelivered: 0,
          strangersStored: 0,
        });
        assert.isAbove(figures["configuredOffered"], 8 * 50 * 24 * 0.8);
        assert.isAtMost(figures["detectSeconds"], 5);
        assert.isAtMost(figures["alertSeconds"], 5);
        assert.deepStrictEqual(
          figures["detections"].map(({ fault }: { readonly fault: string }) => fault),
          ["generator.empty", "generator.everything", "forwarder.failsOpen"],
        );
        assert.include(figures["alerts"], "configRefused");
        // By what refused it: an empty configuration is refused for that, and not for its share of removals.
        assert.deepStrictEqual(figures["limitsExercised"], ["addedPercentMax"]);
        assert.deepStrictEqual(
          figures["lostByPhase"].map(({ phase }: { readonly phase: string }) => phase),
          ["warm-up", "baseline", "empty", "everything", "recovery"],
        );
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "without any: a large part is lost, and there are more buffers than there may be",
    () =>
      Effect.gen(function* () {
        const { code, figures, stderr } = yield* run("--guards", "none");
        assert.strictEqual(code, 0, "it is meant to miss bars");
        assert.isAbove(figures["configuredLostPercent"], 10, stderr);
        assert.match(stderr, /On 14 November 2024 it was 55 % of 3\.5 hours; here it is [\d.]+ % of/);
        // Almost everything, as long as nobody has a push job.
        assert.isAbove(figures["lostByPhase"].find((each: any) => each.phase === "empty").percent, 50);
        assert.isAbove(figures["strangersDelivered"], 0, "everything was sent for everybody");
        assert.isAbove(figures["droppedAsUnconfigured"], 0);
        assert.isAbove(figures["buffersOverLimit"], 0);
        assert.isAbove(figures["strangersStored"], 0);
        assert.strictEqual(figures["unexplained"], 0);
        // Whatever is switched off: what was acknowledged and is not delivered is told.
        assert.isAbove(figures["acknowledgedLost"], 0);
        assert.isAtLeast(figures["lostWithReceipt"], figures["acknowledgedLost"]);
      }).pipe(Effect.scoped),
    120_000,
  );
});
