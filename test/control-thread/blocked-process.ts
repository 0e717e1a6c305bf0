import { Effect } from "effect";
import { readFileSync } from "node:fs";
import {
  type ControlThread,
  type ControlThreadOptions,
  startControlThread,
} from "../../src/control-thread/control-thread.ts";

/** A process of its own, whose main thread can be blocked: tells the control URL, and obeys lines on stdin. */

const limits = JSON.parse(readFileSync(new URL("../../config/default.json", import.meta.url), "utf8")).limits;
const answer: ControlThreadOptions["answer"] = ({ method, url }) =>
  Effect.sync(() => ({
    status: 200,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify({ method, url, at: performance.now() })),
  }));

/** Nothing else happens on this thread meanwhile, as in a long collection or a loop that does not end. */
const block = (millis: number) => {
  const until = performance.now() + millis;
  while (performance.now() < until);
};

const obey = (control: ControlThread) =>
  Effect.callback<void>((resume) => {
    process.stdin.on("data", (data) => {
      for (const line of data.toString().trim().split("\n")) {
        const [word, argument] = line.split(" ");
        if (word === "block") block(Number(argument));
        if (word === "kill") Effect.runFork(control.kill);
        if (word === "throw") throw new Error("the main thread dies");
        if (word === "end") resume(Effect.void);
      }
    });
  });

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const control = yield* startControlThread({
        host: "127.0.0.1",
        port: 0,
        orAnyPort: false,
        token: undefined,
        dataUrl: "http://127.0.0.1:9",
        limits: { ...limits, controlSilentMillisMax: Number(process.argv[2]) },
        answer,
      });
      process.stdout.write(`${control.url}\n`);
      yield* obey(control);
    }),
  ),
);
process.stdin.destroy();
