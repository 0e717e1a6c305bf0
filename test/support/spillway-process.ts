import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../../bin/spillway", import.meta.url));

/** A `spillway dev` in a process of its own, as a user runs it. */
export interface SpillwayProcess {
  readonly url: string;
  readonly controlUrl: string;
  readonly child: ChildProcess;
  /** The nats-server that it started. */
  readonly natsPid: () => number;
  readonly output: () => string;
  readonly exited: Promise<number | null>;
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
    server.on("error", reject);
  });

/** Starts and waits for "spillway is ready"; rejects with the output when it ends before. */
export const startSpillway = (options: {
  readonly data: string;
  readonly jobs: string;
  readonly port: number;
  readonly nats: string;
  readonly flags?: ReadonlyArray<string>;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<SpillwayProcess> => {
  const args = ["dev", "--data", options.data, "--listen", `127.0.0.1:${options.port}`, "--jobs", options.jobs];
  const child = spawn(launcher, [...args, ...(options.flags ?? [])], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NATS_SERVER: options.nats, SPILLWAY_LOG_LEVEL: "Info", NO_COLOR: "1", ...options.env },
  });
  let output = "";
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return new Promise((resolve, reject) => {
    const url = `http://127.0.0.1:${options.port}`;
    const onData = (part: Buffer) => {
      output = (output + part.toString()).slice(-100_000);
      const controlUrl = /^spillway answers for itself at (\S+)\n/m.exec(output)?.[1];
      if (output.includes("spillway is ready at") && controlUrl !== undefined) {
        resolve({ url, controlUrl, child, exited, output: () => output, natsPid: () => natsPidOf(options.data) });
      }
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    void exited.then((code) => reject(new Error(`spillway ended with ${code} before it was ready:\n${output}`)));
  });
};

/** The nats-server whose configuration is in this data directory, found as an operator would: in the process list. */
export const natsPidsOf = (data: string): ReadonlyArray<number> =>
  processIds().filter((pid) => {
    const command = commandOf(pid);
    return command.includes(`${data}/nats/`) && executableOf(pid).includes("nats-server");
  });

const natsPidOf = (data: string): number => {
  const [pid] = natsPidsOf(data);
  if (pid === undefined) throw new Error(`no nats-server runs on ${data}`);
  return pid;
};

const processIds = (): ReadonlyArray<number> => readdirSync("/proc").map(Number).filter(Number.isInteger);

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
};

const executableOf = (pid: number): string => {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
};

/** SIGKILL that does not mind when the process is gone already. */
export const killHard = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};
