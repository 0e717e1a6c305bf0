import { Effect } from "effect";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Ran } from "./run-spillway.ts";

const binary = fileURLToPath(new URL("../../bin/spillway", import.meta.url));

/** util-linux' `script`: gives a process a terminal. Not on every machine. */
export const terminal = "/usr/bin/script";

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Runs `bin/spillway` on a terminal, and answers the question that it asks. Everything is on stdout: a terminal does
 * not tell the two apart.
 */
export const runOnTerminal = (
  args: ReadonlyArray<string>,
  { answer, when }: { readonly when: RegExp; readonly answer: string },
) =>
  Effect.callback<Ran>((resume) => {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SPILLWAY_"));
    const command = [binary, ...args].map(quoted).join(" ");
    const child = spawn(terminal, ["-qec", command, "/dev/null"], {
      env: { ...Object.fromEntries(inherited), TERM: "xterm" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let isAnswered = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (isAnswered || !when.test(stdout)) return;
      isAnswered = true;
      child.stdin.write(answer);
    });
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr: "" })));
    child.stdin.on("error", () => {});
    return Effect.sync(() => child.kill("SIGKILL"));
  });
