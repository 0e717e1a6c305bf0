import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { assert, it } from "@effect/vitest";
import { Effect, References } from "effect";
import { openDataDirectory } from "../../../src/streams/embedded/data-directory.ts";
import { tryLockFile } from "../../../src/streams/embedded/file-lock.ts";
import { launch } from "../../../src/streams/embedded/nats-process.ts";
import { sight } from "../../../src/streams/embedded/process-identity.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

/** Launches a program that notes its process id, and does not end by SIGTERM. */
const launchStubborn = Effect.gen(function* () {
  const temporary = yield* Effect.acquireRelease(Effect.promise(makeTemporaryDirectory), (each) =>
    Effect.promise(() => each[Symbol.asyncDispose]()),
  );
  const program = join(temporary.path, "program");
  const note = join(temporary.path, "note");
  yield* Effect.promise(() =>
    writeFile(
      program,
      `#!/bin/sh\ntrap '' TERM\necho $$ >'${note.replaceAll("'", `'\\''`)}'\nwhile :; do sleep 0.05; done\n`,
    ),
  );
  yield* Effect.promise(() => chmod(program, 0o755));
  const directory = yield* openDataDirectory(join(temporary.path, "data"));
  const lock = yield* tryLockFile(directory.natsLockFile);
  assert(lock !== undefined);
  const launched = yield* launch(program, directory, lock);
  yield* Effect.addFinalizer(() => launched.stop(0));
  yield* lock.release;
  const readNote = Effect.promise(() => readFile(note, "utf8").catch(() => ""));
  return { launched, readNote, directory };
}).pipe(Effect.provideService(References.MinimumLogLevel, "None"));

it.live("runs nothing before the word, and then the program under the same process id", () =>
  Effect.gen(function* () {
    const { launched, readNote } = yield* launchStubborn;
    const before = yield* sight(launched.pid);
    assert.strictEqual(yield* readNote, "");
    yield* launched.begin;
    const deadline = performance.now() + 5_000;
    while ((yield* readNote) === "" && performance.now() < deadline) yield* Effect.promise(() => sleep(20));
    assert.strictEqual(yield* readNote, `${launched.pid}\n`);
    const after = yield* sight(launched.pid);
    assert(before._tag === "Alive" && after._tag === "Alive");
    // What is on record since before the word is still true.
    assert.strictEqual(after.startTime, before.startTime);
  }),
);

it.live("kills what does not end by SIGTERM, within the time given, and frees the store", () =>
  Effect.gen(function* () {
    const { directory, launched, readNote } = yield* launchStubborn;
    yield* launched.begin;
    const deadline = performance.now() + 5_000;
    while ((yield* readNote) === "" && performance.now() < deadline) yield* Effect.promise(() => sleep(20));
    assert.isUndefined(yield* tryLockFile(directory.natsLockFile));
    const startedMillis = performance.now();
    yield* launched.stop(200).pipe(Effect.uninterruptible, Effect.provideService(References.MinimumLogLevel, "None"));
    const tookMillis = performance.now() - startedMillis;
    assert.isAtLeast(tookMillis, 190);
    assert.isBelow(tookMillis, 2_000);
    assert.isTrue(launched.hasExited());
    assert.strictEqual(yield* Effect.promise(() => launched.exited), "signal SIGKILL");
    // The program's own child (sleep) has the descriptor for some milliseconds more.
    let free = false;
    for (let tries = 0; !free && tries < 50; tries++) {
      const lock = yield* tryLockFile(directory.natsLockFile);
      yield* lock?.release ?? Effect.promise(() => sleep(20));
      free = lock !== undefined;
    }
    assert.isTrue(free);
  }),
);
