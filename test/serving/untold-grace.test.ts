import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Untold, untoldGracesIn } from "../../src/serving/untold-grace.ts";
import { quiet } from "../support/world.ts";

const world = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-untold-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true })),
).pipe(
  Effect.map((directory) => ({
    directory: join(directory, "configuration"),
    path: join(directory, "configuration", "grace"),
  })),
);

const all: ReadonlyArray<Untold> = [
  { id: "a", revision: 7, untilMillis: 123, job: '{"customer":"acme"}\n' },
  { key: "acme.http_requests", untilMillis: 456 },
];

describe("graces that only a node knows of", () => {
  it.live("are there after a restart, for its own user's eyes, and gone when they are over", () =>
    Effect.gen(function* () {
      const { directory, path } = yield* world;
      const graces = untoldGracesIn(directory);
      assert.deepStrictEqual(yield* graces.load, [], "before there ever was one");
      yield* graces.save(all);
      assert.deepStrictEqual(yield* untoldGracesIn(directory).load, all);
      assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o600);
      yield* graces.save([]);
      assert.deepStrictEqual(yield* graces.load, []);
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(directory)), []);
    }),
  );

  it.live("keep no node from starting when they are damaged", () =>
    Effect.gen(function* () {
      const { directory, path } = yield* world;
      const graces = untoldGracesIn(directory);
      yield* graces.save(all);
      yield* Effect.promise(() => writeFile(path, '{"key":"acme.http_requests","untilMillis":456}\n{"id":"a'));
      assert.deepStrictEqual(yield* graces.load, []);
    }).pipe(Effect.provide(quiet)),
  );
});
