import { spawn } from "node:child_process";
import { Effect } from "effect";

export interface ToolResult {
  /** The exit status; undefined when the tool is not installed or was ended by a signal. */
  readonly status: number | undefined;
  readonly installed: boolean;
  readonly output: string;
}

/** Enough for any answer that we ask a tool for; the rest is thrown away. */
const outputBytesMax = 65_536;

/**
 * Runs a small program to its end and collects its output. `sharedFd` becomes the program's descriptor 3, the same open
 * file description as ours. Never fails; interruption ends the program.
 */
export const runTool = (command: string, args: ReadonlyArray<string>, sharedFd?: number): Effect.Effect<ToolResult> =>
  Effect.callback<ToolResult>((resume) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "ignore", sharedFd ?? "ignore"],
      // C, so that dates and messages read the same everywhere.
      env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C" },
    });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (output.length < outputBytesMax) output += text;
    });
    child.once("error", () => resume(Effect.succeed({ status: undefined, installed: false, output })));
    child.once("close", (status) =>
      resume(Effect.succeed({ status: status ?? undefined, installed: true, output: output.slice(0, outputBytesMax) })),
    );
    return Effect.sync(() => child.kill("SIGKILL"));
  });
