import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { tryLockFile } from "../../../src/streams/embedded/file-lock.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const temporaryDirectory = Effect.acquireRelease(Effect.promise(makeTemporaryDirectory), (directory) =>
  Effect.promise(() => directory[Symbol.asyncDispose]()),
);

it.live("is held by one at a time, also within one process", () =>
  Effect.gen(function* () {
    const path = join((yield* temporaryDirectory).path, "a.lock");
    const first = yield* tryLockFile(path);
    assert.isDefined(first);
    assert.isUndefined(yield* tryLockFile(path));
    yield* first?.release ?? Effect.void;
    const second = yield* tryLockFile(path);
    assert.isDefined(second);
    yield* second?.release ?? Effect.void;
  }),
);

it.live("goes to exactly one of many that ask at once", () =>
  Effect.gen(function* () {
    const path = join((yield* temporaryDirectory).path, "a.lock");
    const locks = yield* Effect.forEach(Array.from({ length: 8 }), () => tryLockFile(path), { concurrency: 8 });
    const taken = locks.filter((lock) => lock !== undefined);
    assert.strictEqual(taken.length, 1);
    for (const { release } of taken) yield* release;
  }),
);

it.live("stays with a child that was given it until that child is killed", () =>
  Effect.gen(function* () {
    const path = join((yield* temporaryDirectory).path, "a.lock");
    const lock = yield* tryLockFile(path);
    assert(lock !== undefined);
    const child = spawn("sleep", ["30"], { stdio: ["ignore", "ignore", "ignore", lock.handle.fd] });
    yield* lock.release;
    const whileAlive = yield* tryLockFile(path);
    child.kill("SIGKILL");
    yield* Effect.promise(() => once(child, "exit"));
    assert.isUndefined(whileAlive);
    const afterwards = yield* tryLockFile(path);
    assert.isDefined(afterwards);
    yield* afterwards?.release ?? Effect.void;
  }),
);

it.live("says what is wrong when the directory is missing", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(tryLockFile("/nonexistent/a.lock"));
    assert.include(error.message, "/nonexistent/a.lock");
  }),
);
