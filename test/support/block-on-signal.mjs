import { isMainThread } from "node:worker_threads";

// Loaded into a Spillway process with --import: SIGUSR2 blocks its main thread for so long, as one endless loop would.
const millis = Number(process.env.BLOCK_MILLIS ?? "3000");
if (isMainThread) {
  process.on("SIGUSR2", () => {
    const until = performance.now() + millis;
    while (performance.now() < until);
  });
}
