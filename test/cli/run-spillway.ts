import { Effect } from "effect";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const binary = fileURLToPath(new URL("../../bin/spillway", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  readonly cwd?: string;
  /** Sends SIGINT once stderr or stdout of the process, or the test itself, says so. */
  readonly interruptWhen?: Promise<unknown>;
  /** The same, once its stderr has this. */
  readonly interruptWhenSaid?: RegExp;
}

/** Runs `bin/spillway` as its own process, as a user does; ended when the test is interrupted. */
export const runSpillway = (args: ReadonlyArray<string>, options: RunOptions = {}) =>
  Effect.callback<Ran>((resume) => {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SPILLWAY_"));
    const child = spawn(binary, [...args], {
      cwd: options.cwd,
      env: { ...Object.fromEntries(inherited), ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      const had = options.interruptWhenSaid?.test(stderr);
      stderr += text;
      if (had === false && options.interruptWhenSaid?.test(stderr)) child.kill("SIGINT");
    });
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })));
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    void options.interruptWhen?.then(() => child.kill("SIGINT"));
    return Effect.sync(() => child.kill("SIGKILL"));
  });
