import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Effect } from "effect";
import { attemptFile, EmbeddedServerError } from "./embedded-server-error.ts";
import { runTool } from "./run-tool.ts";

/**
 * An exclusive flock(2). It belongs to the open file description, so it is free at the moment when the last process
 * that
 * has this descriptor ends, SIGKILL included: there is no stale lock, and no race between two that take it over. The
 * file itself is never removed, or two could hold a lock on two files of one name.
 */
export interface FileLock {
  readonly handle: FileHandle;
  /** Gives up our share; a child that was given the descriptor keeps the lock until it ends. */
  readonly release: Effect.Effect<void>;
}

/** Takes the lock or answers undefined at once when another has it, in this process or any other on this machine. */
export const tryLockFile = Effect.fnUntraced(function* (path: string) {
  const handle = yield* openForLock(path);
  if (handle === undefined) return undefined;
  const release = Effect.promise(() => handle.close()).pipe(Effect.ignoreCause);
  const taken = opensLocked ? true : yield* lockDescriptor(path, handle).pipe(Effect.onError(() => release));
  if (!taken) {
    yield* release;
    return undefined;
  }
  return { handle, release } satisfies FileLock;
}, Effect.uninterruptible);

// The BSDs and macOS lock in open(2); Node passes the flag on, though it has no name for it.
const opensLocked = process.platform === "darwin" || process.platform === "freebsd";
const O_EXLOCK = 0x20;

const openForLock = (path: string): Effect.Effect<FileHandle | undefined, EmbeddedServerError> => {
  const flags = constants.O_RDWR | constants.O_CREAT | (opensLocked ? O_EXLOCK | constants.O_NONBLOCK : 0);
  return attemptFile(`open the lock file ${path}`, async () => {
    try {
      return await open(path, flags, 0o600);
    } catch (error) {
      if (opensLocked && (error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
      throw error;
    }
  });
};

/** Node has no flock(2); a tool that locks a descriptor that it shares with us does it for us and may then end. */
const lockDescriptor = Effect.fnUntraced(function* (path: string, handle: FileHandle) {
  for (const [command, args] of lockers) {
    const { installed, status } = yield* runTool(command, args, handle.fd);
    if (status === 0) return true;
    if (status === 1) return false;
    if (installed)
      return yield* new EmbeddedServerError({
        reason: "dataDirectory",
        message: `${path} cannot be locked (${command} ended with ${status}). Put the data directory on a local disk.`,
      });
  }
  return yield* new EmbeddedServerError({
    reason: "dataDirectory",
    message: "The data directory cannot be locked: neither flock (package util-linux) nor perl is installed.",
  });
});

const lockers: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["flock", ["-n", "3"]],
  ["perl", ["-e", 'open(my $f, "+<&=3") or exit 2; flock($f, 6) and exit 0; exit($!{EWOULDBLOCK} ? 1 : 2)']],
];
