import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Builds the data directory of a node with so many push jobs, in another process. Answers the seconds that it took. */
export const buildData = async (
  dataDirectory: string,
  jobs: number,
  sinkUrl: string,
  signal: AbortSignal,
): Promise<number> => {
  const script = fileURLToPath(new URL("../../scripts/nats-server.sh", import.meta.url));
  const binary = execFileSync("bash", [script], { encoding: "utf8" }).trim();
  const began = performance.now();
  const args = [dataDirectory, String(jobs), sinkUrl, binary];
  const child = fork(new URL("build.ts", import.meta.url), args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const stop = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop);
  let said: { built?: number; failed?: string } = {};
  child.on("message", (message) => (said = message as typeof said));
  await once(child, "exit");
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (said.built === undefined) throw new Error(`The data could not be built: ${said.failed ?? "no word why"}`);
  return (performance.now() - began) / 1_000;
};
