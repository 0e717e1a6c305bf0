import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";

describe("a control plane that is dead", () => {
  it.live(
    "delays nobody, is noticed by the others, and finds what was changed meanwhile",
    () =>
      Effect.gen(function* () {
        const directory = yield* Effect.acquireRelease(
          Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-dead-control-"))),
          (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 })),
        );
        const args = ["dead-control-plane", "--customers", "6", "--seconds-per-phase", "6", "--json"];
        const { code, stderr, stdout } = yield* runSpillway(["drill", "run", ...args], {
          env: { NATS_SERVER: inject("natsServer"), TMPDIR: directory },
        });
        const figures = JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as Record<string, any>;
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
