import { Effect } from "effect";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";
import { removeTree } from "./remove-tree.ts";

/** A directory for everything that a drill leaves behind, its temporary files included. */
export const drillDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-drills-"))),
  (directory) => Effect.promise(() => removeTree(directory)),
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
