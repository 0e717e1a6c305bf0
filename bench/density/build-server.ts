import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const portTries = 400;

/**
 * A nats-server on the store of a data directory that nobody else uses, without an fsync for every message: what is
 * built here may be built again. It ends in good order when it is disposed of.
 */
export const startBuildServer = async (binary: string, dataDirectory: string, fileStoreBytesMax: number) => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-density-"));
  const store = join(dataDirectory, "nats", "store");
  await mkdir(store, { recursive: true, mode: 0o700 });
  const file = join(directory, "nats.conf");
  await writeFile(
    file,
    `listen: "127.0.0.1:-1"\nmax_payload: 8388608\n` +
      `jetstream { store_dir: ${JSON.stringify(store)}, max_file_store: ${fileStoreBytesMax}, sync_interval: "2m" }\n`,
  );
  const child = spawn(binary, ["-c", file, "--ports_file_dir", directory], { stdio: "ignore" });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  for (let tries = 0; tries < portTries && child.exitCode === null; tries++) {
    const name = (await readdir(directory)).find((each) => each.endsWith(".ports"));
    const text = name === undefined ? "" : await readFile(join(directory, name), "utf8");
    if (text !== "") return { url: (JSON.parse(text) as { nats: [string] }).nats[0], [Symbol.asyncDispose]: stop };
    await sleep(25);
  }
  await stop();
  throw new Error("the nats-server that the data is built with did not start");
};
