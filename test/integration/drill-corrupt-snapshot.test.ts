import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";

const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-corrupt-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 })),
  );
  const small = ["drill", "run", "corrupt-snapshot", "--customers", "6", "--seconds-per-phase", "7", "--json"];
  const ran = yield* runSpillway([...small, ...args], {
    env: { NATS_SERVER: inject("natsServer"), TMPDIR: directory },
  });
  return { ...ran, figures: JSON.parse(ran.stdout.trimEnd().split("\n").at(-1)!) as Record<string, any> };
});

describe("snapshots that are damaged on their way", () => {
  it.live(
    "change nothing where nodes go on with the last good one, and no change is lost",
    () =>
      Effect.gen(function* () {
        const { code, figures, stderr } = yield* run();
        assert.deepStrictEqual(figures["barsMissed"], [], stderr);
        assert.strictEqual(code, 0, stderr);
        assert.deepInclude(figures, { configuredLost: 0, requestsRefused: 0, unexplained: 0, restarts: 0 });
        assert.include(figures["alerts"], "configRefused");
        // Not before snapshots arrived whole, or nothing was shown.
        assert.isAbove(figures["changeLiveSeconds"], 0);
      }).pipe(Effect.scoped),
    120_000,
  );

  it.live(
    "stop everybody's records where a node then serves nothing; every one that it had has a receipt",
    () =>
      Effect.gen(function* () {
        const { code, figures, stderr } = yield* run("--guards", "off");
        assert.strictEqual(code, 0, "it is meant to miss bars");
        assert.deepStrictEqual(figures["guardsOff"], ["lastKnownGood"]);
        assert.isAbove(figures["configuredLostPercent"], 10, stderr);
        assert.isAbove(figures["requestsRefused"], 0);
        assert.isAtLeast(figures["lostWithReceipt"], figures["acknowledgedLost"]);
        assert.strictEqual(figures["unexplained"], 0);
        assert.strictEqual(figures["restarts"], 0);
      }).pipe(Effect.scoped),
    120_000,
  );
});
