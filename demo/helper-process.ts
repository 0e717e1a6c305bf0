import { fork } from "node:child_process";
import { once } from "node:events";

/** A child of ours that has said that it is ready. */
export interface HelperProcess<Ready> extends AsyncDisposable {
  readonly ready: Ready;
  readonly pid: number;
  readonly send: (message: object) => void;
  readonly onMessage: (listen: (message: unknown) => void) => void;
}

const readyMillisMax = 20_000;

/** Starts a module as a process of its own and waits for its first message. It ends when we do. */
export const startHelper = async <Ready>(module: URL, args: ReadonlyArray<string>): Promise<HelperProcess<Ready>> => {
  const child = fork(module, [...args], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(child, "exit");
  const stop = async () => {
    if (child.connected) child.disconnect();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await exited;
  };
  const first = await Promise.race([
    once(child, "message", { signal: AbortSignal.timeout(readyMillisMax) }).then(([message]) => message as Ready),
    exited.then(() => undefined),
  ]).catch(() => undefined);
  if (first === undefined || child.pid === undefined) {
    await stop();
    throw new Error(`${module.pathname} did not start`);
  }
  return {
    ready: first,
    pid: child.pid,
    send: (message) => void child.send(message),
    onMessage: (listen) => void child.on("message", listen),
    [Symbol.asyncDispose]: stop,
  };
};
