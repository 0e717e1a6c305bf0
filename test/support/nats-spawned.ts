import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { natsConfiguration, type NatsSettings, type NatsUnderTest } from "./nats-under-test.ts";
import { type Group, spawnGroup } from "./process-group.ts";
import { removeTree } from "./remove-tree.ts";

export interface SpawnedNats extends NatsUnderTest {
  /** SIGKILL: nothing is flushed, closed or said. */
  readonly kill: () => Promise<void>;
  /** Starts it again after `kill`, on the same port and the same store. */
  readonly startAgain: () => Promise<void>;
}

export const startSpawnedNats = async (binary: string, settings: Partial<NatsSettings> = {}): Promise<SpawnedNats> => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "spillway-nats-"));
  stack.defer(() => removeTree(directory));
  const file = join(directory, "nats.conf");
  await writeFile(file, natsConfiguration(settings, "127.0.0.1:-1", join(directory, "store")));
  let group: Group = spawnGroup(binary, ["-c", file, "--ports_file_dir", directory]);
  const signal = (name: NodeJS.Signals) => {
    if (isRunning(group)) process.kill(group.child.pid!, name);
  };
  stack.defer(() => {
    // A stopped process would not see the end coming.
    signal("SIGCONT");
    return group[Symbol.asyncDispose]();
  });
  const url = await readPort(group, directory);
  const port = Number(new URL(url).port);
  const owned = stack.move();
  return {
    url,
    pause: async () => {
      signal("SIGSTOP");
      await untilStopped(group.child.pid);
    },
    resume: async () => signal("SIGCONT"),
    kill: async () => {
      const exited = once(group.child, "exit");
      signal("SIGKILL");
      await exited;
    },
    startAgain: async () => {
      // The watcher of the group that was killed.
      await group[Symbol.asyncDispose]();
      group = spawnGroup(binary, ["-c", file, "-p", String(port)]);
      await untilOpen(group, port);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

const isRunning = ({ child }: Group) => child.exitCode === null && child.signalCode === null;

const readPort = async (group: Group, directory: string): Promise<string> => {
  for (let tries = 0; tries < 400 && isRunning(group); tries++) {
    const name = (await readdir(directory)).find((each) => each.endsWith(".ports"));
    const text = name === undefined ? "" : await readFile(join(directory, name), "utf8");
    if (text !== "") return (JSON.parse(text) as { nats: [string] }).nats[0];
    await sleep(25);
  }
  throw new Error("nats-server wrote no ports file");
};

/** Resolves once something accepts connections there. */
export const untilOpen = async (group: Group, port: number): Promise<void> => {
  for (let tries = 0; tries < 400 && isRunning(group); tries++) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await sleep(25);
  }
  throw new Error(`nothing listens on port ${port}`);
};

/** A signal is delivered in its own time, to each thread: until then the server still answers. */
const untilStopped = async (pid: number | undefined): Promise<void> => {
  if (process.platform !== "linux" || pid === undefined) return;
  const threads = `/proc/${pid}/task`;
  const isStopped = (thread: string) => / [Tt] /.test(readFileSync(`${threads}/${thread}/stat`, "utf8"));
  for (let tries = 0; tries < 500 && !readdirSync(threads).every(isStopped); tries++) await sleep(10);
};
