import { Clock, Deferred, Effect, Exit, Result, Scope } from "effect";
import { resolveNatsServer } from "./binary.ts";
import { serverNameOf, writeConfiguration } from "./configuration.ts";
import { type DataDirectory, openDataDirectory } from "./data-directory.ts";
import { EmbeddedServerError } from "./embedded-server-error.ts";
import { findFreePort } from "./free-port.ts";
import { readGreeting } from "./greeting.ts";
import { clearStore } from "./leftover.ts";
import { lastWords, launch, type NatsProcess } from "./nats-process.ts";
import { sight } from "./process-identity.ts";
import { restartDelayMillis } from "./restart-delay.ts";
import { removeRecord, writeRecord } from "./server-record.ts";

export { EmbeddedServerError } from "./embedded-server-error.ts";

export interface EmbeddedServer {
  /** `nats://127.0.0.1:port`; the same for as long as the scope is open, across restarts of nats-server. */
  readonly url: string;
  /** Of the nats-server that runs now, or ran last. */
  readonly pid: () => number;
  /** As nats-server tells it: `2.15.1`. */
  readonly version: string;
}

export interface EmbeddedServerOptions {
  /** Made where it is missing. One Spillway at a time. */
  readonly dataDirectory: string;
  readonly fileStoreBytesMax: number;
  /** `max_payload`: the largest message. */
  readonly messageBytesMax: number;
}

interface Run {
  readonly nats: NatsProcess;
  readonly port: number;
  readonly version: string;
}

type OnReady = (run: Run) => Effect.Effect<unknown>;

interface Setup {
  readonly binary: string;
  readonly directory: DataDirectory;
  readonly options: EmbeddedServerOptions;
}

/** Other ports for a first start whose port was taken between the look and the start. */
const firstStartTriesMax = 3;
/** nats-server recovers its streams before it answers: minutes for a large store on a slow disk. */
const readyMillisMax = 300_000;
const readyPollMillis = 25;
const tellMillis = 10_000;
const stopMillisMax = 10_000;
/** From so many ends in a row on it is an error, not a warning. */
const alarmingFailures = 5;
/** Having run this long, it starts from the shortest delay again when it ends. */
const steadyMillis = 60_000;

/**
 * Finds, starts and supervises a nats-server of our own on a free loopback port, with its store under the data
 * directory. Ready when it returns. When the scope closes it is stopped, and when this process dies in whatever way, it
 * ends too. Fails when the directory is another's, when no binary is found, or when an earlier nats-server may still be
 * on the store.
 */
// Untraced: supervision goes on for as long as the node, and must not hang on the span of whoever started it.
export const startEmbeddedServer = Effect.fnUntraced(function* (
  options: EmbeddedServerOptions,
): Effect.fn.Return<EmbeddedServer, EmbeddedServerError, Scope.Scope> {
  // A scope of its own: after a failed start nothing stays locked, however long the caller's scope lives on.
  const scope = yield* Scope.fork(yield* Effect.scope);
  return yield* startIn(options).pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
  );
});

const startIn = Effect.fnUntraced(function* (options: EmbeddedServerOptions) {
  // The lock comes first: everything after it may assume that no other Spillway acts on this directory.
  const directory = yield* openDataDirectory(options.dataDirectory);
  const setup: Setup = { binary: yield* resolveNatsServer, directory, options };
  const ready = yield* Deferred.make<Run, EmbeddedServerError>();
  let current: Run | undefined;
  const onReady = (run: Run) =>
    Effect.suspend(() => {
      current = run;
      return Deferred.succeed(ready, run);
    });
  yield* Effect.forkScoped(
    startFirst(setup, onReady).pipe(
      Effect.flatMap((port) => supervise(setup, port, onReady)),
      // Only a first start fails; and should supervision itself have a bug, the caller must not wait for ever.
      Effect.catchCause((cause) =>
        Effect.flatMap(Deferred.failCause(ready, cause), (told) =>
          told ? Effect.void : Effect.logError("nats-server is no longer supervised.", cause),
        ),
      ),
    ),
  );
  const first = yield* Deferred.await(ready);
  return {
    url: `nats://127.0.0.1:${first.port}`,
    pid: () => (current ?? first).nats.pid,
    version: first.version,
  };
});

/** Runs nats-server for the first time, to its end. Returns the port, which it keeps from then on. */
const startFirst = Effect.fnUntraced(function* (setup: Setup, onReady: OnReady) {
  for (let tries = 1; ; tries++) {
    const port = yield* findFreePort;
    const ended = yield* Effect.result(live(setup, port, onReady));
    if (Result.isSuccess(ended)) {
      yield* Effect.logWarning("nats-server ended unexpectedly.", { how: ended.success });
      return port;
    }
    if (ended.failure.reason !== "portTaken" || tries >= firstStartTriesMax) return yield* ended.failure;
  }
});

/** Starts it again, for ever, on the same port and store. The delay is what bounds the rate. */
const supervise = Effect.fnUntraced(function* (setup: Setup, port: number, onReady: OnReady) {
  for (let failures = 1; ; failures++) {
    const delayMillis = restartDelayMillis(failures);
    yield* Effect.logInfo("nats-server is started again.", { delayMillis, failures });
    yield* Effect.sleep(delayMillis);
    const startedMillis = yield* Clock.currentTimeMillis;
    const ended = yield* Effect.result(live(setup, port, onReady));
    const ranMillis = (yield* Clock.currentTimeMillis) - startedMillis;
    const how = Result.isSuccess(ended) ? ended.success : ended.failure.message;
    if (ranMillis >= steadyMillis) failures = 0;
    if (failures >= alarmingFailures)
      yield* Effect.logError("nats-server keeps ending. Nothing is stored meanwhile.", { how, failures });
    else yield* Effect.logWarning("nats-server ended unexpectedly.", { how, ranMillis });
  }
});

/** One life of a nats-server. Returns how it ended; stops it when interrupted. */
const live = (setup: Setup, port: number, onReady: OnReady): Effect.Effect<string, EmbeddedServerError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { binary, directory, options } = setup;
      yield* writeConfiguration(directory, { ...options, port });
      const lock = yield* Effect.acquireRelease(clearStore(directory), ({ release }) => release);
      const nats = yield* Effect.acquireRelease(launch(binary, directory, lock), ({ hasExited, stop }) =>
        stop(stopMillisMax).pipe(
          Effect.andThen(Effect.suspend(() => (hasExited() ? removeRecord(directory.recordFile) : Effect.void))),
        ),
      );
      // From here on the lock is the process's alone: it is free when the process has ended, and no earlier.
      yield* lock.release;
      const sighting = yield* sight(nats.pid);
      if (sighting._tag === "Gone" || sighting.startTime === undefined) return yield* failed(directory, nats);
      yield* writeRecord(directory.recordFile, {
        format: 1,
        pid: nats.pid,
        startTime: sighting.startTime,
        binary,
        configurationFile: directory.configurationFile,
        storeDirectory: directory.storeDirectory,
        port,
      });
      yield* nats.begin;
      const version = yield* awaitReady(directory, nats, port);
      yield* Effect.logInfo("nats-server is ready.", {
        port,
        pid: nats.pid,
        version,
        store: directory.storeDirectory,
      });
      yield* onReady({ nats, port, version });
      return yield* Effect.promise(() => nats.exited);
    }),
  );

const awaitReady = Effect.fnUntraced(function* (directory: DataDirectory, nats: NatsProcess, port: number) {
  const serverName = serverNameOf(directory);
  const startedMillis = yield* Clock.currentTimeMillis;
  let toldMillis = startedMillis;
  for (;;) {
    if (nats.hasExited()) return yield* failed(directory, nats);
    const greeting = yield* readGreeting(port);
    if (greeting?.server_name === serverName) return greeting.version;
    if (greeting !== undefined) return yield* portTaken(port);
    const nowMillis = yield* Clock.currentTimeMillis;
    if (nowMillis - startedMillis > readyMillisMax)
      return yield* new EmbeddedServerError({
        reason: "start",
        message: `nats-server is not ready after ${readyMillisMax} ms. See ${directory.logFile}.`,
      });
    if (nowMillis - toldMillis > tellMillis) {
      toldMillis = nowMillis;
      yield* Effect.logInfo("nats-server is recovering its store.", { waitedMillis: nowMillis - startedMillis });
    }
    yield* Effect.sleep(readyPollMillis);
  }
});

const failed = Effect.fnUntraced(function* (directory: DataDirectory, nats: NatsProcess) {
  const how = nats.hasExited() ? yield* Effect.promise(() => nats.exited) : "it cannot be seen";
  const words = yield* lastWords(directory, nats.pid);
  if (words.includes("address already in use")) return yield* portTaken(undefined);
  return yield* new EmbeddedServerError({
    reason: "start",
    message: `nats-server does not start (${how}). ${words === "" ? `See ${directory.logFile}.` : `It says: ${words}`}`,
  });
});

const portTaken = (port: number | undefined) =>
  new EmbeddedServerError({
    reason: "portTaken",
    message: `Another program listens on nats-server's port${port === undefined ? "" : ` ${port}`}.`,
  });
