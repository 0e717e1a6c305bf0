import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastKnownGoodIn } from "../../src/serving/last-known-good.ts";
import { encodeManifest } from "../../src/snapshot/manifest.ts";
import type { Snapshot } from "../../src/snapshot/snapshot.ts";
import { entry, Snapshots } from "../snapshot/snapshot-fixture.ts";
import { quiet } from "../support/world.ts";

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-lkg-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true })),
);
const encodedOf = ({ manifest }: Snapshot) => encodeManifest(manifest);
const jobsOf = (snapshots: Snapshots, snapshot: Snapshot | undefined) =>
  snapshot === undefined
    ? undefined
    : snapshots
        .entries(snapshot)
        .map(({ id, revision }) => `${id}@${revision}`)
        .toSorted();

/** Two snapshots of the same jobs, of which the second has one at a later revision. */
const two = Effect.gen(function* () {
  const snapshots = new Snapshots();
  const { snapshot: first } = yield* snapshots.next([entry("a", "ant"), entry("b", "bee")]);
  const { snapshot: second } = yield* snapshots.next([entry("b", "bee", { revision: 2 })]);
  return { first, second, snapshots };
});

describe("the last known good", () => {
  it.effect("is there after a restart, and only its own files", () =>
    Effect.gen(function* () {
      const path = yield* directory;
      const { first, second, snapshots } = yield* two;
      const store = lastKnownGoodIn(join(path, "config"));
      assert.isUndefined(yield* store.load);
      yield* store.save(first, encodedOf(first));
      yield* store.save(second, encodedOf(second));
      const loaded = yield* lastKnownGoodIn(join(path, "config")).load;
      assert.deepStrictEqual(jobsOf(snapshots, loaded), ["a@1", "b@2"]);
      assert.strictEqual(loaded!.hash, second.hash);
      const names = new Set(second.manifest.segments.map(({ hash }) => hash));
      assert.strictEqual((yield* Effect.promise(() => readdir(join(path, "config/segments")))).length, names.size + 1);
      const { mode } = yield* Effect.promise(() => stat(join(path, "config/manifest")));
      assert.strictEqual(mode & 0o777, 0o600, "it holds secrets");
    }).pipe(Effect.scoped),
  );

  it.effect("is the one before when the process died before the manifest was replaced", () =>
    Effect.gen(function* () {
      const path = yield* directory;
      const { first, second, snapshots } = yield* two;
      const store = lastKnownGoodIn(path);
      yield* store.save(first, encodedOf(first));
      // What was written until then: new segments, and a part of the manifest.
      for (const { hash } of second.manifest.segments)
        yield* Effect.promise(() => writeFile(join(path, "segments", hash), second.blob(hash)!));
      yield* Effect.promise(() => writeFile(join(path, "manifest.part"), encodedOf(second).subarray(0, 99)));
      assert.deepStrictEqual(jobsOf(snapshots, yield* store.load), ["a@1", "b@1"]);
    }).pipe(Effect.scoped),
  );

  it.effect("is none when any of it is damaged, and whole again when it is saved again", () =>
    Effect.gen(function* () {
      const path = yield* directory;
      const { second, snapshots } = yield* two;
      const store = lastKnownGoodIn(path);
      yield* store.save(second, encodedOf(second));
      const files = (yield* Effect.promise(() => readdir(join(path, "segments")))).map((name) =>
        join("segments", name),
      );
      for (const name of [...files, "manifest"]) {
        const content = yield* Effect.promise(() => readFile(join(path, name)));
        for (const broken of [content.subarray(0, content.length - 3), Buffer.concat([content, Buffer.from("x")])]) {
          yield* Effect.promise(() => writeFile(join(path, name), broken));
          const loaded = yield* store.load;
          // Some trailing bytes a decompressor does not see; nothing else may be there then than was.
          if (loaded !== undefined) assert.deepStrictEqual(jobsOf(snapshots, loaded), ["a@1", "b@2"], name);
          yield* store.save(second, encodedOf(second));
          assert.deepStrictEqual(jobsOf(snapshots, yield* store.load), ["a@1", "b@2"], name);
        }
        yield* Effect.promise(() => rm(join(path, name), { force: true }));
        assert.isUndefined(yield* store.load, name);
        yield* store.save(second, encodedOf(second));
      }
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});
