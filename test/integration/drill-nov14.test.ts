import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";

/** Small, and the whole story: 8 customers, 320 strangers, places for 120 buffers. */
const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-nov14-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 })),
  );
  const small = ["drill", "run", "nov14", "--customers", "8", "--seconds-per-phase", "6", "--json"];
  const ran = yield* runSpillway([...small, ...args], {
    env: { NATS_SERVER: inject("natsServer"), TMPDIR: directory },
  });
  return { ...ran, figures: JSON.parse(ran.stdout.trimEnd().split("\n").at(-1)!) as Record<string, any> };
});

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
        assert.includeMembers(figures["limitsExercised"], ["removedPercentMax", "addedPercentMax"]);
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "without them: a large part is lost, and there are more buffers than there may be",
    () =>
      Effect.gen(function* () {
        const { code, figures, stderr } = yield* run("--guards", "off");
        assert.strictEqual(code, 0, "it is meant to miss bars");
        assert.isAbove(figures["configuredLostPercent"], 10, stderr);
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
