import { mkdir, readFile, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Effect, Option, Schema, type Scope } from "effect";
import { attemptFile, EmbeddedServerError } from "./embedded-server-error.ts";
import { type FileLock, tryLockFile } from "./file-lock.ts";

/** Where everything of one embedded node lies. Locked: while a value of this type is in scope, it is ours alone. */
export interface DataDirectory {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  readonly natsDirectory: string;
  readonly storeDirectory: string;
  readonly configurationFile: string;
  /** Held by the nats-server itself, for as long as it lives. */
  readonly natsLockFile: string;
  readonly recordFile: string;
  readonly logFile: string;
  readonly errorFile: string;
}

const Holder = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int }));

/** Makes the directory where it is missing and takes it for this process until the scope closes. */
export const openDataDirectory = Effect.fn("streams.openDataDirectory")(function* (
  dataDirectory: string,
): Effect.fn.Return<DataDirectory, EmbeddedServerError, Scope.Scope> {
  const path = yield* attemptFile(`make the data directory ${dataDirectory}`, async () => {
    await mkdir(join(resolve(dataDirectory), "nats", "store"), { recursive: true, mode: 0o700 });
    return realpath(dataDirectory);
  });
  const lockFile = join(path, "spillway.lock");
  yield* Effect.acquireRelease(takeOrRefuse(path, lockFile), giveBack);
  const natsDirectory = join(path, "nats");
  return {
    path,
    natsDirectory,
    storeDirectory: join(natsDirectory, "store"),
    configurationFile: join(natsDirectory, "nats-server.conf"),
    natsLockFile: join(natsDirectory, "nats-server.lock"),
    recordFile: join(natsDirectory, "nats-server.json"),
    logFile: join(natsDirectory, "nats-server.log"),
    errorFile: join(natsDirectory, "nats-server.stderr"),
  };
});

const takeOrRefuse = Effect.fnUntraced(function* (path: string, lockFile: string) {
  const lock = yield* tryLockFile(lockFile);
  if (lock === undefined) {
    const holder = yield* readHolder(lockFile);
    return yield* new EmbeddedServerError({
      reason: "held",
      message:
        `The data directory ${path} is in use by another Spillway` +
        `${Option.match(holder, { onNone: () => "", onSome: ({ pid }) => ` (process ${pid})` })}. ` +
        "Stop that one first, or give this one a data directory of its own.",
    });
  }
  // For the message above alone: who holds it is decided by the lock, not by what is written there.
  yield* writeHolder(lock, JSON.stringify({ pid: process.pid }));
  return lock;
});

const giveBack = (lock: FileLock) => writeHolder(lock, "").pipe(Effect.ignore, Effect.andThen(lock.release));

const writeHolder = (lock: FileLock, text: string) =>
  attemptFile("write the lock file", async () => {
    await lock.handle.truncate(0);
    await lock.handle.write(text, 0);
  });

const readHolder = (lockFile: string) =>
  Effect.promise(() => readFile(lockFile, "utf8").catch(() => "")).pipe(Effect.map(Schema.decodeUnknownOption(Holder)));
