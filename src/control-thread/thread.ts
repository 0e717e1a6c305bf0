import { Deferred, Effect, type Scope } from "effect";
import { Worker } from "node:worker_threads";
import { type ListenError, listenError, type ListenTarget } from "../api/listen-error.ts";
import type { ControlThreadData, ToControl, ToMain } from "./messages.ts";

/** One life of the control thread. */
export interface Thread {
  readonly url: string;
  readonly post: (message: ToControl, transfer: ReadonlyArray<ArrayBuffer>) => void;
  /** Why it ended, for the log. */
  readonly ended: Deferred.Deferred<string>;
  /** At once, as a crash would. */
  readonly kill: Effect.Effect<void>;
}

/** The heap alone; what is kept and what is on its way lies outside it, and has limits of its own. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 };
const startMillisMax = 10_000;
const closeMillisMax = 1_000;

/** The entry, in a clone (`.ts`) and in the package (`.js`). */
const entry = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** Starts the thread and waits until it listens; ends it with the scope, after the answers being written. */
export const startThread = Effect.fnUntraced(function* (
  data: ControlThreadData,
  onRequest: (message: Extract<ToMain, { readonly type: "request" | "forget" }>) => void,
): Effect.fn.Return<Thread, ListenError, Scope.Scope> {
  const ended = Deferred.makeUnsafe<string>();
  const listening = Deferred.makeUnsafe<string, ListenError>();
  const target: ListenTarget = { host: data.host, port: data.port, flag: "--control-listen" };
  const fail = (why: string) => {
    Deferred.doneUnsafe(ended, Effect.succeed(why));
    Deferred.doneUnsafe(listening, Effect.fail(listenError(target, { message: why })));
  };
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = new Worker(entry, { workerData: data, resourceLimits, name: "spillway-control" });
      started.on("message", (message: ToMain) => {
        if (message.type === "listening") Deferred.doneUnsafe(listening, Effect.succeed(message.url));
        else if (message.type === "notListening") {
          Deferred.doneUnsafe(listening, Effect.fail(listenError(target, message)));
        } else onRequest(message);
      });
      started.on("messageerror", () => fail("a message could not be read"));
      started.on("error", (error) => fail(error instanceof Error ? error.message : String(error)));
      started.on("exit", (code) => fail(`it ended with code ${code}`));
      return started;
    }),
    (started) => end(started, ended),
  );
  const url = yield* Deferred.await(listening).pipe(
    Effect.timeoutOrElse({
      duration: startMillisMax,
      orElse: () => Effect.fail(listenError(target, { message: "the control thread did not start in time" })),
    }),
  );
  return {
    url,
    post: (message, transfer) => worker.postMessage(message, transfer),
    ended,
    kill: Effect.promise(() => worker.terminate()),
  };
});

const end = (worker: Worker, ended: Deferred.Deferred<string>) =>
  Effect.gen(function* () {
    worker.postMessage({ type: "close" } satisfies ToControl);
    yield* Deferred.await(ended).pipe(Effect.timeoutOption(closeMillisMax));
    yield* Effect.promise(() => worker.terminate());
  });
