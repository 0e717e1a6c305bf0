import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { switchCopyIn } from "../../src/streams/switch-copy.ts";
import { aSwitch } from "../support/scripted-switches.ts";
import { quiet } from "../support/world.ts";

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-switches-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true })),
);

describe("a node's copy of the kill switches", () => {
  it.effect("is what was saved last, in a directory that is made when it is missing", () =>
    Effect.gen(function* () {
      const directory = join(yield* folder, "data");
      const copy = switchCopyIn(directory);
      assert.deepStrictEqual(yield* copy.load, []);
      const both = [aSwitch("customer", "acme", { untilMillis: 10 }), aSwitch("everything", "")];
      yield* copy.save(both);
      assert.deepStrictEqual(yield* switchCopyIn(directory).load, both);
      yield* copy.save([]);
      assert.deepStrictEqual(yield* switchCopyIn(directory).load, []);
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(directory)), ["kill-switches.json"]);
    }).pipe(Effect.scoped),
  );

  it.effect("that is damaged is none", () =>
    Effect.gen(function* () {
      const directory = yield* folder;
      yield* Effect.promise(() => writeFile(join(directory, "kill-switches.json"), '{"version":1,"switches":[{'));
      assert.deepStrictEqual(yield* switchCopyIn(directory).load, []);
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );

  it.effect("says when the disk does not take it", () =>
    Effect.gen(function* () {
      const directory = yield* folder;
      yield* Effect.promise(() => writeFile(join(directory, "file"), ""));
      const error = yield* Effect.flip(switchCopyIn(join(directory, "file")).save([]));
      assert.strictEqual(error._tag, "SwitchCopyError");
    }).pipe(Effect.scoped),
  );
});
