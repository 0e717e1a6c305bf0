import { runDemo } from "./demo.ts";
import { demoHelp, parseDemoOptions } from "./options.ts";

const options = parseDemoOptions(process.argv.slice(2));
if (options === "help") {
  process.stdout.write(demoHelp);
} else if ("problem" in options) {
  process.stderr.write(`${options.problem}\n\n${demoHelp}`);
  process.exitCode = 2;
} else {
  const interrupted = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    // The second Ctrl-C is for people in a hurry: children end with us.
    if (interrupted.signal.aborted) process.exit(130);
    process.stderr.write(`\n${signal}: ending everything and cleaning up.\n`);
    interrupted.abort(new Error("interrupted"));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    const { good, result } = await runDemo(options, options.json ? process.stderr : process.stdout, interrupted.signal);
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exitCode = good ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) {
      process.exitCode = 130;
    } else {
      process.stderr.write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
  // Sockets that linger must not keep a finished demo alive.
  process.exit();
}
