import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { conformanceRequest } from "../../src/destinations/conformance.ts";
import { openDestination } from "./open-destination.ts";

const request = conformanceRequest({ first: 1, records: 10, members: 2 });

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "spillway-file-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
);

const system = (command: string, ...parameters: ReadonlyArray<string>): void => {
  execFileSync(command, parameters, { stdio: "ignore" });
};

/** tmpfs needs root and a mount namespace that lets us: known before the tests are declared. */
const tinyFileSystem = (() => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-tiny-"));
  try {
    system("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
    system("umount", folder);
    return true;
  } catch {
    console.warn("the test of a full file system is skipped: it needs root and mount");
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();

describe("a file push", () => {
  it.live("makes one whole file, in folders it creates, for owner and group only", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      const destination = yield* openDestination({ kind: "file", path: `${root}/a b/{DATE}/c/` });
      assert.deepStrictEqual(yield* destination.push(request), {
        _tag: "Delivered",
        status: undefined,
        alreadyThere: false,
      });
      const path = destination.locate(request);
      assert.strictEqual(path, `${root}/a b/20241114/c/20241114T114307Z_20241114T114337Z_${request.hex}.log.gz`);
      assert.isTrue(readFileSync(path).equals(Buffer.concat(request.body)));
      assert.strictEqual(statSync(path).mode & 0o777, 0o640 & ~process.umask());
      assert.strictEqual(statSync(dirname(path)).mode & 0o777, 0o750 & ~process.umask());
      assert.deepStrictEqual(readdirSync(dirname(path)).length, 1);
      assert.strictEqual(destination.host, "file");
    }),
  );

  it.live("takes a file with the same records for an earlier attempt, however they are compressed", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      const destination = yield* openDestination({ kind: "file", path: root });
      const path = destination.locate(request);
      const earlier = gzipSync(gunzipSync(Buffer.concat(request.body)), { level: 9 });
      writeFileSync(path, earlier);
      assert.deepInclude(yield* destination.push(request), { _tag: "Delivered", alreadyThere: true });
      assert.isTrue(readFileSync(path).equals(earlier));
    }),
  );

  it.live("never overwrites a file with other content", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      const destination = yield* openDestination({ kind: "file", path: root });
      const path = destination.locate(request);
      const whole = Buffer.concat(request.body);
      for (const other of [
        gzipSync("other\n"),
        Buffer.from("not gzip"),
        Buffer.alloc(0),
        whole.subarray(0, whole.length - 9),
      ]) {
        writeFileSync(path, other);
        assert.deepInclude(yield* destination.push(request), { _tag: "Rejected", reason: "conflict" });
        assert.isTrue(readFileSync(path).equals(other));
      }
      assert.strictEqual(readdirSync(root).length, 1);
    }),
  );

  it.live("removes temporaries of a crash: this file's, and any old one; leaves the rest alone", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      const destination = yield* openDestination({ kind: "file", path: root });
      const name = destination.locate(request).slice(root.length + 1);
      const file = (each: string, ageSeconds: number) => {
        writeFileSync(join(root, each), "x");
        const seconds = statSync(join(root, each)).mtimeMs / 1_000 - ageSeconds;
        utimesSync(join(root, each), seconds, seconds);
      };
      file(`.${name}.dead-1.spillway-part`, 0);
      file(".old.log.gz.dead-2.spillway-part", 3_600);
      file(".new.log.gz.alive-3.spillway-part", 0);
      file(".hidden", 3_600);
      file("old.log.gz", 3_600);
      assert.deepInclude(yield* destination.push(request), { _tag: "Delivered" });
      assert.sameMembers(readdirSync(root), [name, ".new.log.gz.alive-3.spillway-part", ".hidden", "old.log.gz"]);
    }),
  );

  it.live("makes its folder again when somebody removed it", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      const destination = yield* openDestination({ kind: "file", path: `${root}/x/y` });
      yield* destination.push(request);
      rmSync(`${root}/x`, { recursive: true });
      assert.deepInclude(yield* destination.push({ ...request, attempt: 2 }), { _tag: "Deferred" });
      assert.deepInclude(yield* destination.push({ ...request, attempt: 3 }), {
        _tag: "Delivered",
        alreadyThere: false,
      });
    }),
  );

  it.live("into a folder that is a file is Rejected", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      writeFileSync(`${root}/file`, "");
      for (const path of [`${root}/file`, `${root}/file/below`]) {
        const destination = yield* openDestination({ kind: "file", path });
        assert.deepInclude(yield* destination.push(request), { _tag: "Rejected", reason: "invalid-settings" });
      }
    }),
  );

  it.live.skipIf(process.getuid?.() === 0)("into a folder that it may not write to is Rejected", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      mkdirSync(`${root}/closed`);
      chmodSync(`${root}/closed`, 0o500);
      const destination = yield* openDestination({ kind: "file", path: `${root}/closed` });
      assert.deepInclude(yield* destination.push(request), { _tag: "Rejected", reason: "forbidden" });
    }),
  );

  it.live.skipIf(!tinyFileSystem)("to a full file system is Deferred and leaves nothing behind", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder;
      yield* Effect.acquireRelease(
        Effect.sync(() => system("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", root)),
        () => Effect.sync(() => system("umount", "-l", root)),
      );
      const destination = yield* openDestination({ kind: "file", path: root });
      const outcome = yield* destination.push(conformanceRequest({ first: 1, records: 5_000 }));
      assert.deepInclude(outcome, { _tag: "Deferred", reason: "storage-full", ambiguous: false });
      assert.deepStrictEqual(readdirSync(root), []);
      // And goes on once there is room.
      assert.deepInclude(yield* destination.push(request), { _tag: "Delivered" });
    }),
  );
});
