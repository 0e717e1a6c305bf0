import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, closeSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const executable = fileURLToPath(new URL("../bin/spillway", import.meta.url));

/** The first start may have to fetch nats-server. */
const readyMillisMax = 180_000;
const stopMillisMax = 30_000;

/**
 * The child leads a group of its own, so that Ctrl-C in a terminal reaches us alone. Should we die without a word,
 * the end
 * of the pipe kills that group.
 */
const launcher = `exec 3<&0; (cat <&3; kill -KILL 0) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-`;

export interface SpillwayOptions {
  /** Holds `data/`, `spillway.log` and `spillway.pid`. */
  readonly directory: string;
  readonly jobsFile: string;
  /** Settings over the defaults. */
  readonly settingsFile?: string;
  /** Beside what we were started with. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** One `spillway dev`, which may be killed and started again on its data any number of times. */
export class SpillwayProcess implements AsyncDisposable {
  readonly url: string;
  /** Where it answers for itself, as of its last start. */
  controlUrl = "";
  /** Called when it ends without having been told to, with how. */
  onUnexpectedExit: (how: string) => void = () => {};
  readonly #options: SpillwayOptions;
  readonly #port: number;
  #child: (ChildProcess & { stdin: Writable; stdout: Readable }) | undefined;
  #stopping = false;

  private constructor(options: SpillwayOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(options: SpillwayOptions): Promise<SpillwayProcess> {
    const spillway = new SpillwayProcess(options, await freePort());
    await spillway.start();
    return spillway;
  }

  /** Starts it on its data directory and resolves when it says that it is ready. */
  async start(): Promise<void> {
    const { directory, environment, jobsFile, settingsFile } = this.#options;
    const log = openSync(join(directory, "spillway.log"), "a");
    const args = ["dev", "--data", join(directory, "data"), "--listen", `127.0.0.1:${this.#port}`, "--jobs", jobsFile];
    if (settingsFile !== undefined) args.push("--config", settingsFile);
    const child = spawn("/bin/sh", ["-c", launcher, "sh", executable, ...args], {
      detached: true,
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", log],
    }) as ChildProcess & { stdin: Writable; stdout: Readable };
    closeSync(log);
    // Breaks when the child's watcher is gone, which is no news.
    child.stdin.on("error", () => {});
    this.#child = child;
    await writeFile(join(directory, "spillway.pid"), `${child.pid}\n`);
    try {
      this.controlUrl = await readyLine(child);
    } catch (error) {
      killGroup(child.pid);
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}\n${lastLines(directory)}`, { cause: error });
    }
    child.once("exit", (code, signal) => this.#ended(child, code, signal));
    // It may have ended between its word and this line.
    if (child.exitCode !== null || child.signalCode !== null) this.#ended(child, child.exitCode, child.signalCode);
  }

  #ended(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#stopping || this.#child !== child) return;
    this.#child = undefined;
    this.onUnexpectedExit(signal ?? `exit code ${code}`);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** kill -9 of Spillway alone: its nats-server has to notice by itself. */
  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  /** SIGTERM: it drains, delivers what is open and ends; SIGKILL for the whole group when it does not. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child?.pid === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => killGroup(child.pid), stopMillisMax);
      await exited;
      clearTimeout(timer);
    }
    killGroup(child.pid);
  }
}

/** Resolves with the control address, which is told last. */
const readyLine = async (child: ChildProcess & { stdout: Readable }): Promise<string> => {
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<string>((resolve) => {
    // Reading goes on for ever: an undrained pipe would block its writer.
    lines.on("line", (line) => {
      const controlUrl = /^spillway answers for itself at (\S+)$/.exec(line)?.[1];
      if (controlUrl !== undefined) resolve(controlUrl);
    });
  });
  const exited = once(child, "exit").then(([code, signal]) => {
    throw new Error(`spillway ended before it was ready (${signal ?? `exit code ${code}`}). Its last words:`);
  });
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("spillway was not ready in time. Its last words:")), readyMillisMax).unref();
  });
  late.catch(() => {});
  exited.catch(() => {});
  return Promise.race([ready, exited, late]);
};

const killGroup = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

const lastLines = (directory: string): string =>
  readFileSync(join(directory, "spillway.log"), "utf8").trimEnd().split("\n").slice(-12).join("\n");

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};
