import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { untilOpen } from "./nats-spawned.ts";
import { type Group, spawnGroup } from "./process-group.ts";
import { removeTree } from "./remove-tree.ts";

/** Three nats-servers, each with a store of its own, that replicate streams among themselves. */
export interface NatsCluster extends AsyncDisposable {
  /** Comma-separated, as `Nats.layer` takes them. */
  readonly servers: string;
  /** SIGKILL for the server of this name (`n0`, `n1`, `n2`). */
  readonly kill: (name: string) => Promise<void>;
}

const size = 3;

export const startNatsCluster = async (binary: string): Promise<NatsCluster> => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "spillway-cluster-"));
  stack.defer(() => removeTree(directory));
  const ports = await freePorts(2 * size);
  const [clientPorts, routePorts] = [ports.slice(0, size), ports.slice(size)];
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const groups: Array<Group> = [];
  for (let i = 0; i < size; i++) {
    const file = join(directory, `n${i}.conf`);
    await writeFile(file, configuration(`n${i}`, clientPorts[i]!, routePorts[i]!, routes, join(directory, `n${i}`)));
    groups.push(stack.use(spawnGroup(binary, ["-c", file])));
  }
  await Promise.all(groups.map((group, i) => untilOpen(group, clientPorts[i]!)));
  const owned = stack.move();
  return {
    servers: clientPorts.map((port) => `127.0.0.1:${port}`).join(","),
    kill: async (name) => {
      const { child } = groups[Number(name.slice(1))]!;
      const exited = once(child, "exit");
      process.kill(child.pid!, "SIGKILL");
      await exited;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

const configuration = (name: string, port: number, routePort: number, routes: string, storeDirectory: string) => `
server_name: ${name}
listen: "127.0.0.1:${port}"
max_payload: 8388608
jetstream {
  store_dir: "${storeDirectory}", max_file_store: 4294967296, max_memory_store: 67108864, sync_interval: always
}
cluster { name: cell, listen: "127.0.0.1:${routePort}", routes: [${routes}] }
`;

/** Each server must know the others' ports before it starts, so they are chosen here. */
const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
};
