import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { Clock, Effect } from "effect";
import type { DataDirectory } from "./data-directory.ts";
import { attemptFile, EmbeddedServerError } from "./embedded-server-error.ts";
import type { FileLock } from "./file-lock.ts";

/** A nats-server, or what will become one at `begin`. */
export interface NatsProcess {
  readonly pid: number;
  /** Lets the launcher become nats-server; before that the process has opened nothing. */
  readonly begin: Effect.Effect<void>;
  /** Resolves when it has ended, with how, fit for a log line. */
  readonly exited: Promise<string>;
  readonly hasExited: () => boolean;
  /** SIGTERM, and SIGKILL after that time. Returns when it is gone, or when not even SIGKILL ended it in time. */
  readonly stop: (termMillisMax: number) => Effect.Effect<void>;
}

/** A process in the middle of a write that the disk does not finish ends when that does, and not by our waiting. */
const killMillisMax = 5_000;
const watcherMillisMax = 2_000;
const pollMillis = 10;

/**
 * Waits for the word before it becomes nats-server, under the same process id: its parent writes the record first, so
 * that there is never a nats-server without one. If the parent dies before the word, the end of the pipe ends it.
 */
const launcher = `read -r word || exit 1; exec "$@" </dev/null`;

/**
 * Reads a pipe that only our death closes without a word, SIGKILL included. In a session of its own, so that a signal
 * to
 * our whole group, or Ctrl-C, does not reach it. It ends what still runs on our configuration and nothing else: the
 * process id may have gone to another by then.
 */
const watcher = `
trap '' HUP INT TERM
read -r word && exit 0
ours() {
  if [ -r "/proc/$1/cmdline" ]; then tr '\\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2"
  else ps -ww -o args= -p "$1" 2>/dev/null | grep -qF -- "$2"; fi
}
ours "$1" "$2" || exit 0
kill -TERM "$1"; kill -CONT "$1"
tries=0
while [ $tries -lt 100 ]; do ours "$1" "$2" || exit 0; sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1"
`;

/** Nothing of our environment: it may hold tokens, and nats-server needs none of it. */
const env = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" };

/** Starts the launcher with the store's lock as its descriptor 3, and the watcher beside it. */
export const launch = Effect.fnUntraced(function* (binary: string, directory: DataDirectory, lock: FileLock) {
  // Emptied at every start, so it is bounded by one crash's report. Once it is up, nats-server writes to its log.
  const errors = yield* attemptFile(`write ${directory.errorFile}`, () => open(directory.errorFile, "w", 0o600));
  const child = spawn("/bin/sh", ["-c", launcher, "sh", binary, "-c", directory.configurationFile], {
    cwd: directory.natsDirectory,
    detached: true,
    env,
    stdio: ["pipe", "ignore", errors.fd, lock.handle.fd],
  });
  const exited = exitOf(child);
  yield* Effect.promise(() => errors.close());
  const { pid } = child;
  if (pid === undefined)
    return yield* new EmbeddedServerError({
      reason: "start",
      message: `/bin/sh cannot be run: ${yield* Effect.promise(() => exited)}`,
    });
  child.stdin?.on("error", ignore);
  const watch = spawn("/bin/sh", ["-c", watcher, "sh", String(pid), directory.configurationFile], {
    cwd: "/",
    detached: true,
    env,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watch.stdin?.on("error", ignore);
  const watchExited = exitOf(watch);
  if (watch.pid === undefined) {
    // The launcher ends at the end of its pipe.
    child.stdin?.end();
    const detail = yield* Effect.promise(() => watchExited);
    return yield* new EmbeddedServerError({ reason: "start", message: `/bin/sh cannot be run: ${detail}` });
  }
  // Once it is gone there is nothing to watch, and its process id may become another's.
  void exited.then(() => watch.stdin?.end("done\n"));
  return {
    pid,
    begin: Effect.sync(() => child.stdin?.end("begin\n")),
    exited,
    hasExited: () => hasExited(child),
    stop: (termMillisMax) =>
      stop(child, termMillisMax).pipe(
        Effect.andThen(within(watch, watcherMillisMax)),
        Effect.andThen(Effect.sync(() => watch.kill("SIGKILL"))),
      ),
  } satisfies NatsProcess;
}, Effect.uninterruptible);

const stop = Effect.fnUntraced(function* (child: ChildProcess, termMillisMax: number) {
  // Through the child, not by its id: Node knows when the id is not the child's any more.
  child.kill("SIGTERM");
  // A stopped process acts on its signals only when it goes on.
  child.kill("SIGCONT");
  if (yield* within(child, termMillisMax)) return;
  yield* Effect.logWarning("nats-server did not stop in time. Killing it.", { pid: child.pid, termMillisMax });
  child.kill("SIGKILL");
  if (yield* within(child, killMillisMax)) return;
  yield* Effect.logError("nats-server does not end. The next start will look for it.", { pid: child.pid });
});

/**
 * Whether the end came in time. It looks again and again, because a race against the clock cannot be had here: this
 * runs
 * in finalizers, where the loser of a race cannot be interrupted, and the time limit would wait for it.
 */
const within = Effect.fnUntraced(function* (child: ChildProcess, millisMax: number) {
  const startedMillis = yield* Clock.currentTimeMillis;
  while (!hasExited(child)) {
    if ((yield* Clock.currentTimeMillis) - startedMillis >= millisMax) return false;
    yield* Effect.sleep(pollMillis);
  }
  return true;
});

const hasExited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

const exitOf = (child: ChildProcess): Promise<string> =>
  new Promise((settle) => {
    child.once("exit", (code, signal) => settle(signal === null ? `status ${code}` : `signal ${signal}`));
    child.once("error", (error) => settle(error.message));
  });

const ignore = () => undefined;

const complaintBytesMax = 2_000;

/** The last that the nats-server of this process id said, for the message of a start that failed. */
export const lastWords = (directory: DataDirectory, pid: number): Effect.Effect<string> =>
  Effect.promise(async () => {
    const errors = await readFile(directory.errorFile, "utf8").catch(() => "");
    const log = await readFile(directory.logFile, "utf8").catch(() => "");
    // The log goes on from earlier runs: this one's lines begin with its process id.
    const logged = log.split("\n").filter((line) => line.startsWith(`[${pid}] `) && /\[(ERR|FTL)\]/.test(line));
    return [...logged, ...errors.split("\n")]
      .filter((line) => line !== "")
      .slice(-3)
      .join(" | ")
      .slice(-complaintBytesMax);
  });
