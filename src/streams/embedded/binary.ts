import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Effect } from "effect";
import { EmbeddedServerError } from "./embedded-server-error.ts";

const script = fileURLToPath(new URL("../../../scripts/nats-server.sh", import.meta.url));
/** Longer than every limit inside the script together. */
const resolveMillisMax = 600_000;
const reasonsKept = 5;

/**
 * The path of a nats-server that is recent enough: NATS_SERVER, PATH, our cache, or fetched and verified now, in which
 * case its progress shows on the terminal.
 */
export const resolveNatsServer: Effect.Effect<string, EmbeddedServerError> = Effect.callback<
  string,
  EmbeddedServerError
>((resume) => {
  const terminal = process.stderr.isTTY;
  const child = spawn("bash", [script, ...(terminal ? ["--progress"] : [])], { stdio: ["ignore", "pipe", "pipe"] });
  const fail = (message: string) => resume(new EmbeddedServerError({ reason: "binary", message }));
  let output = "";
  let reasons: ReadonlyArray<string> = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (terminal) process.stderr.write(text);
    const lines = text.split(/[\r\n]+/).filter((line) => line.startsWith("nats-server: "));
    reasons = [...reasons, ...lines.map((line) => line.slice("nats-server: ".length))].slice(-reasonsKept);
  });
  child.once("error", (error) => fail(`nats-server cannot be looked for: ${error.message}. Is bash installed?`));
  child.once("close", (status) => {
    const path = output.trim();
    if (status === 0 && path !== "") resume(Effect.succeed(path));
    else fail(reasons.join(". ") || `${script} ended with status ${status}`);
  });
  return Effect.sync(() => child.kill("SIGTERM"));
}).pipe(
  Effect.timeoutOrElse({
    duration: resolveMillisMax,
    orElse: () =>
      new EmbeddedServerError({
        reason: "binary",
        message: "Fetching nats-server took too long. Install one and put it on PATH, or set NATS_SERVER to its path.",
      }),
  }),
);
