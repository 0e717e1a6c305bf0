import { Effect } from "effect";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";

/** A directory for everything that a drill leaves behind, its temporary files included. */
export const drillDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-drills-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true, maxRetries: 5 })),
);

export const drillRun = (directory: string, args: ReadonlyArray<string>) =>
  runSpillway(["drill", "run", ...args, "--json"], {
    env: { NATS_SERVER: inject("natsServer"), TMPDIR: directory },
  });

/** The last line of its stdout. */
export const figuresIn = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as Record<string, any>;

/** `spillway drill run … --json`, in a directory of its own. */
export const drillFigures = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const ran = yield* drillRun(yield* drillDirectory, args);
  return { ...ran, figures: figuresIn(ran.stdout) };
});
