import { Effect, type Scope } from "effect";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";
import type { Pausable } from "./drill-world.ts";

/** In a clone (`src/drill/world`) and in the package (`dist/drill/world`) alike. */
const executable = fileURLToPath(new URL("../../../bin/spillway", import.meta.url));

const readyMillisMax = 60_000;
const stopMillisMax = 15_000;

/**
 * The child leads a group of its own, so that Ctrl-C in a terminal reaches us alone. Should we die without a word, the
 * end of the pipe kills that group.
 */
const launcher = `exec 3<&0; (cat <&3; kill -KILL 0) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-`;

type NodeChild = ChildProcess & { readonly stdin: Writable; readonly stdout: Readable; readonly pid: number };

export interface NodeProcess extends Pausable {
  readonly dataUrl: string;
  readonly controlUrl: string;
}

export interface NodeProcessOptions {
  readonly name: string;
  readonly args: ReadonlyArray<string>;
  readonly logFile: string;
  /** Told when it ends without having been told to. */
  readonly onEnd: (how: string) => void;
}

/** A `spillway serve` of the drill's own; ends with the scope, drained if it does so in time. */
export const startNodeProcess = Effect.fn("drill.startNodeProcess")(function* (
  options: NodeProcessOptions,
): Effect.fn.Return<NodeProcess, DrillFailure, Scope.Scope> {
  const { logFile, name, onEnd } = options;
  const state = { stopping: false };
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => launch(options)),
    (started) =>
      Effect.sync(() => {
        state.stopping = true;
        signalProcess(started.pid, "SIGCONT");
        signalProcess(started.pid, "SIGTERM");
      }).pipe(
        Effect.andThen(exited(started)),
        Effect.timeoutOption(stopMillisMax),
        Effect.andThen(Effect.sync(() => signalProcess(-started.pid, "SIGKILL"))),
      ),
  );
  child.once("exit", (code, signal) => {
    if (!state.stopping) onEnd(`${name} ended: ${signal ?? `exit code ${code}`}`);
  });
  const urls = yield* readyLines(child).pipe(
    Effect.timeoutOrElse({ duration: readyMillisMax, orElse: () => Effect.fail("was not ready in time") }),
    Effect.mapError((what) => drillFailure(`${name} ${what}. Its last words:\n${lastLines(logFile)}`)),
  );
  const send = (signal: NodeJS.Signals) => Effect.sync(() => signalProcess(child.pid, signal));
  return { name, pid: () => child.pid, ...urls, pause: send("SIGSTOP"), resume: send("SIGCONT") };
});

const launch = ({ args, logFile }: NodeProcessOptions): NodeChild => {
  const log = openSync(logFile, "a");
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith("SPILLWAY_"));
  const child = spawn("/bin/sh", ["-c", launcher, "sh", executable, ...args], {
    detached: true,
    stdio: ["pipe", "pipe", log],
    env: { ...Object.fromEntries(inherited), SPILLWAY_LOG_LEVEL: "Info", NO_COLOR: "1" },
  }) as NodeChild;
  closeSync(log);
  // Breaks when the child's watcher is gone, which is no news.
  child.stdin.on("error", () => {});
  return child;
};

const exited = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void);
    child.once("exit", () => resume(Effect.void));
  });

/** Reading goes on for ever: an undrained pipe would block its writer. */
const readyLines = (child: NodeChild): Effect.Effect<Pick<NodeProcess, "dataUrl" | "controlUrl">, string> =>
  Effect.callback((resume) => {
    let dataUrl: string | undefined;
    createInterface({ input: child.stdout }).on("line", (line) => {
      dataUrl ??= /^spillway is ready at (\S+)$/.exec(line)?.[1];
      const controlUrl = /^spillway answers for itself at (\S+)$/.exec(line)?.[1];
      if (dataUrl !== undefined && controlUrl !== undefined) resume(Effect.succeed({ dataUrl, controlUrl }));
    });
    child.once("error", ({ message }) => resume(Effect.fail(`does not start: ${message}`)));
    child.once("exit", (code, signal) => {
      resume(Effect.fail(`ended before it was ready (${signal ?? `exit code ${code}`})`));
    });
  });

/** One that is gone is no error. */
export const signalProcess = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

const lastLines = (file: string): string => readFileSync(file, "utf8").trimEnd().split("\n").slice(-12).join("\n");
