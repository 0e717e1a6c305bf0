import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { assert, it } from "@effect/vitest";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Effect, References, Result } from "effect";
import { afterEach, beforeEach, inject, vi } from "vitest";
import { tryLockFile } from "../../src/streams/embedded/file-lock.ts";
import { sight } from "../../src/streams/embedded/process-identity.ts";
import { startEmbeddedServer } from "../../src/streams/embedded/server.ts";
import { writeRecord } from "../../src/streams/embedded/server-record.ts";
import { makeTemporaryDirectory, type TemporaryDirectory } from "../streams/embedded/temporary-directory.ts";

let directory: TemporaryDirectory;
const dataDirectory = () => join(directory.path, "data");
const natsFile = (name: string) => join(dataDirectory(), "nats", name);
/** Whatever this test started and has not seen end. */
let started: Array<number> = [];

beforeEach(async () => {
  vi.stubEnv("NATS_SERVER", inject("natsServer"));
  directory = await makeTemporaryDirectory();
  started = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const pid of started) kill(pid, "SIGKILL");
  await directory[Symbol.asyncDispose]();
});

const start = () =>
  startEmbeddedServer({
    dataDirectory: dataDirectory(),
    fileStoreBytesMax: 1_073_741_824,
    messageBytesMax: 8_388_608,
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"));

it.live("starts, serves JetStream with the limits asked for, and is gone when the scope closes", () =>
  Effect.gen(function* () {
    const server = yield* Effect.scoped(
      Effect.gen(function* () {
        const own = yield* start();
        yield* promise(() => publish(own.url, 10));
        assert.match(own.url, /^nats:\/\/127\.0\.0\.1:\d+$/);
        const info = yield* promise(() => serverInfo(own.url));
        assert.strictEqual(info?.version, own.version);
        assert.strictEqual(info?.max_payload, 8_388_608);
        assert.isTrue(isAlive(own.pid()));
        return own;
      }),
    );
    assert.isFalse(isAlive(server.pid()));
    // Nothing to look for at the next start, and the store is as it was.
    assert.notInclude(yield* promise(() => readdir(join(dataDirectory(), "nats"))), "nats-server.json");
    const size = (yield* promise(() => stat(natsFile("nats-server.log")))).size;
    assert.isAbove(size, 0);
    const again = yield* start();
    assert.strictEqual(yield* promise(() => countMessages(again.url)), 10);
  }),
);

it.live("refuses a directory that this process holds already, and takes it once it is given back", () =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* start();
        const error = yield* Effect.flip(Effect.scoped(start()));
        assert.strictEqual(error.reason, "held");
        assert.include(error.message, `process ${process.pid}`);
      }),
    );
    yield* start();
  }),
);

it.live("refuses a directory that another process holds, and takes it over after that was killed", () =>
  Effect.gen(function* () {
    const child = yield* promise(startInChild);
    const error = yield* Effect.flip(Effect.scoped(start()));
    assert.strictEqual(error.reason, "held");
    assert.include(error.message, `process ${child.process.pid}`);
    assert.isTrue(isAlive(child.pid));
    // At once, without waiting for the watcher: whichever is first, there is one nats-server on the store.
    yield* promise(() => killAndWait(child.process));
    const server = yield* start();
    assert.isFalse(isAlive(child.pid));
    assert.isTrue(isAlive(server.pid()));
  }),
);

it("gives the directory to exactly one of two processes that start at once", async () => {
  const results = await Promise.allSettled([startInChild(), startInChild()]);
  assert.deepStrictEqual(results.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
});

it("ends nats-server when the process that started it is killed", async () => {
  const child = await startInChild();
  await publish(child.url, 50);
  await killAndWait(child.process);
  await until("nats-server ended", () => !isAlive(child.pid));
});

it.live("ends an orphan before it starts another, and keeps every acknowledged message", () =>
  Effect.gen(function* () {
    const child = yield* promise(startInChild);
    yield* promise(() => publish(child.url, 200));
    // Neither the parent nor the watcher is left to end it, and by itself it does not: it is stopped.
    kill(child.pid, "SIGSTOP");
    const [watcher] = childrenOf(child.process.pid ?? 0).filter((pid) => pid !== child.pid);
    assert(watcher !== undefined);
    kill(watcher, "SIGKILL");
    yield* promise(() => killAndWait(child.process));
    assert.isTrue(isAlive(child.pid));

    const server = yield* start();
    assert.isFalse(isAlive(child.pid));
    assert.strictEqual(yield* promise(() => countMessages(server.url)), 200);
    yield* promise(() => publish(server.url, 200));
    assert.strictEqual(yield* promise(() => countMessages(server.url)), 400);
  }),
);

it.live("starts nats-server again on the same port and store when it alone is killed, again and again", () =>
  Effect.gen(function* () {
    const server = yield* start();
    const connection = yield* Effect.acquireRelease(
      promise(() => connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })),
      (open_) => promise(() => open_.close()),
    );
    yield* promise(() => publish(server.url, 200));
    for (let round = 0; round < 3; round++) {
      const before = server.pid();
      kill(before, "SIGKILL");
      yield* promise(() => until("another nats-server", () => server.pid() !== before && isAlive(server.pid())));
      assert.strictEqual(yield* promise(() => countMessages(server.url)), 200);
    }
    // A client that was connected all the while found its way back.
    yield* promise(() => until("reconnected", async () => (await connection.rtt().catch(() => -1)) >= 0));
  }),
);

it.live("refuses to start while something unknown holds the store, and leaves that alone", () =>
  Effect.gen(function* () {
    yield* promise(() => mkdir(join(dataDirectory(), "nats"), { recursive: true }));
    const lock = yield* tryLockFile(natsFile("nats-server.lock"));
    assert(lock !== undefined);
    const holder = spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", lock.handle.fd] }).pid ?? 0;
    yield* lock.release;
    started.push(holder);
    const error = yield* Effect.flip(Effect.scoped(start()));
    assert.strictEqual(error.reason, "unidentified");
    assert.include(error.message, natsFile("nats-server.lock"));
    assert.isTrue(isAlive(holder));
    // A refused start holds nothing itself.
    kill(holder, "SIGKILL");
    yield* promise(() => until("ended", () => !isAlive(holder)));
    yield* start();
  }),
);

it.live("refuses to start while the recorded process lives as something else, and leaves that alone", () =>
  Effect.gen(function* () {
    yield* promise(() => mkdir(join(dataDirectory(), "nats"), { recursive: true }));
    const sleeper = spawn("sleep", ["60"], { stdio: "ignore" });
    const pid = sleeper.pid ?? 0;
    started.push(pid);
    const sighting = yield* sight(pid);
    const startTime = (sighting._tag === "Alive" ? sighting.startTime : undefined) ?? "";
    const record = {
      format: 1,
      pid,
      startTime,
      binary: "x",
      configurationFile: "/y",
      storeDirectory: "/z",
      port: 1,
    } as const;
    yield* writeRecord(natsFile("nats-server.json"), record);
    const error = yield* Effect.flip(Effect.scoped(start()));
    assert.strictEqual(error.reason, "unidentified");
    assert.include(error.message, `ps -fp ${pid}`);
    assert.isTrue(isAlive(pid));
    // The same id at another time of birth is another process: no reason to refuse, or to touch it.
    yield* writeRecord(natsFile("nats-server.json"), { ...record, startTime: `${startTime}0` });
    yield* Effect.scoped(start());
    assert.isTrue(isAlive(pid));
  }),
);

it.live("says what nats-server says when it does not start, and gives the directory back", () =>
  Effect.gen(function* () {
    // A store that is no directory.
    yield* promise(async () => {
      await mkdir(join(dataDirectory(), "nats", "store"), { recursive: true });
      await (await open(join(dataDirectory(), "nats", "store", "jetstream"), "w")).close();
    });
    const error = yield* Effect.flip(start());
    assert.strictEqual(error.reason, "start");
    assert.include(error.message, "storage directory");
    const again = yield* Effect.result(start());
    assert(Result.isFailure(again));
    assert.strictEqual(again.failure.reason, "start");
  }),
);

interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly url: string;
  readonly pid: number;
}

const startInChild = async (): Promise<Child> => {
  const script = fileURLToPath(new URL("../streams/embedded/start-in-child.ts", import.meta.url));
  const child = spawn(process.execPath, [script, dataDirectory()], { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child.pid ?? 0);
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("{")) continue;
    const { error, pid, url } = JSON.parse(line) as { url: string; pid: number; error?: string };
    if (error !== undefined) throw new Error(error);
    started.push(pid);
    return { process: child, url, pid };
  }
  throw new Error("the child ended without a word");
};

const killAndWait = async (child: Child["process"]) => {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
};

const childrenOf = (pid: number): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));

const kill = (pid: number, signal: NodeJS.Signals) => {
  try {
    if (pid > 1) process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

/** A zombie waits for its parent alone: for us it has ended. */
const isAlive = (pid: number): boolean => {
  const state = execFileSync("sh", ["-c", `ps -o stat= -p ${pid} || true`], { encoding: "utf8" }).trim();
  return state !== "" && !state.startsWith("Z");
};

const until = async (what: string, condition: () => boolean | Promise<boolean>) => {
  const deadline = Date.now() + 8_000;
  while (!(await condition())) {
    assert.isBelow(Date.now(), deadline, `not in time: ${what}`);
    await sleep(20);
  }
};

const promise = <A>(run: () => Promise<A>) => Effect.promise(run);

const serverInfo = async (url: string) => {
  const connection = await connect({ servers: url });
  const { info } = connection;
  await connection.close();
  return info;
};

/** Returns when every message was acknowledged. */
const publish = async (url: string, messages: number) => {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "TEST", subjects: ["test"] });
  const client = jetstream(connection);
  await Promise.all(Array.from({ length: messages }, (_, index) => client.publish("test", `message ${index}`)));
  await connection.close();
};

const countMessages = async (url: string): Promise<number> => {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info("TEST");
  await connection.close();
  return state.messages;
};
