import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, killHard } from "./spillway-process.ts";

const launcher = fileURLToPath(new URL("../../bin/spillway", import.meta.url));

/** A `spillway serve` in a process of its own, against a nats-server that is there. */
export interface ServedNode {
  readonly url: string;
  readonly controlUrl: string;
  readonly output: () => string;
  /** SIGTERM: it drains. */
  readonly stop: () => Promise<void>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
}

/** @param directory its own: settings and data; the same again for a node that is started again */
export const serveNode = async (
  directory: string,
  settings: Readonly<Record<string, unknown>>,
  jobsFile?: string,
): Promise<ServedNode> => {
  const config = join(directory, "spillway.json");
  const port = await freePort();
  const all = { dataDirectory: join(directory, "data"), listen: `127.0.0.1:${port}`, controlListen: "127.0.0.1:0" };
  await writeFile(config, JSON.stringify({ ...all, ...settings }));
  const args = ["serve", "--config", config, ...(jobsFile === undefined ? [] : ["--jobs", jobsFile])];
  const child = spawn(launcher, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SPILLWAY_LOG_LEVEL: "info", NO_COLOR: "1" },
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const output = outputOf(child);
  const end = (signal: () => void) => async () => {
    if (child.exitCode === null && child.signalCode === null) signal();
    await exited;
  };
  const kill = end(() => killHard(child.pid!));
  const controlUrl = await new Promise<string>((resolve, reject) => {
    const look = () => {
      const found = /^spillway answers for itself at (\S+)\n/m.exec(output())?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", look);
    void exited.then(() => reject(new Error(`the node ended before it was ready:\n${output()}`)));
  });
  return { url: `http://127.0.0.1:${port}`, controlUrl, output, stop: end(() => child.kill("SIGTERM")), kill };
};

const outputOf = (child: ChildProcess): (() => string) => {
  let output = "";
  const keep = (part: Buffer) => void (output = (output + part.toString()).slice(-100_000));
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  return () => output;
};
