import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Group, spawnGroup } from "./process-group.ts";
import { removeTree } from "./remove-tree.ts";

/** A nats-server that can be killed and started again on the same port and store. */
export interface RestartableNats extends AsyncDisposable {
  readonly url: string;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export const restartableNats = async (binary: string): Promise<RestartableNats> => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-nats-"));
  const port = await freePort();
  let group: Group | undefined;
  const kill = async () => {
    const { child } = group ?? {};
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    await group?.[Symbol.asyncDispose]();
  };
  const start = async () => {
    const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", directory];
    group = spawnGroup(binary, args);
    for (let tries = 0; tries < 400 && group.child.exitCode === null; tries++) {
      if (await answers(port)) return;
      await sleep(25);
    }
    throw new Error(`nats-server does not listen on port ${port}`);
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await kill();
      await removeTree(directory);
    },
  };
};

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
};

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
