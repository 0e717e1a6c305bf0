import { jetstreamManager } from "@nats-io/jetstream";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber, Result } from "effect";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { JobStore } from "../../src/streams/job-store.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { configNode, job, node, server } from "../support/job-nodes.ts";

const sender = fileURLToPath(new URL("../support/transaction-process.ts", import.meta.url));

const lastSequence = Effect.flatMap(Nats, ({ control }) =>
  attempt("manage", async () => {
    const manager = await jetstreamManager(control);
    return (await manager.streams.info("KV_jobs")).state.last_seq;
  }),
);

/** Passes everything on, and calls when so many bytes of one connection have gone to the server. */
const countingProxy = (upstream: string, bytes: number, reached: () => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { hostname, port } = new URL(upstream);
      const proxy = createServer((client) => {
        const behind = connect(Number(port), hostname);
        let passed = 0;
        client.on("data", (part: Buffer) => {
          if (passed < bytes && passed + part.length >= bytes) reached();
          passed += part.length;
          // Slower than it comes: what the sender has handed to the kernel must not be all of it.
          if (!behind.write(part)) client.pause();
        });
        behind.on("drain", () => client.resume());
        behind.pipe(client);
        client.on("end", () => behind.end());
        for (const [one, other] of [
          [client, behind],
          [behind, client],
        ] as const) {
          one.on("error", () => other.destroy());
          one.on("close", () => other.destroy());
        }
      });
      proxy.listen(0, "127.0.0.1");
      await once(proxy, "listening");
      return { proxy, url: `nats://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    }),
    ({ proxy }) => Effect.sync(() => proxy.close()),
  );

/** Runs the sender until it ends by itself or is killed. */
const runSender = (url: string, killed: Promise<void>) =>
  Effect.callback<{ readonly signal: NodeJS.Signals | null; readonly stdout: string; readonly stderr: string }>(
    (resume) => {
      const child = spawn(process.execPath, [sender, url], { stdio: ["ignore", "pipe", "pipe"] });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("close", (_code, signal) => resume(Effect.succeed({ signal, stdout, stderr })));
      void killed.then(() => child.kill("SIGKILL"));
      return Effect.sync(() => child.kill("SIGKILL"));
    },
  );

describe("a transaction of push jobs, when something dies,", () => {
  it.live("leaves nothing behind when its sender is killed in the middle, and is stored by the next one", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      // Sixty megabytes are to come.
      const middle = Promise.withResolvers<void>();
      const proxy = yield* countingProxy(url, 10_000_000, middle.resolve);
      const killed = yield* runSender(proxy.url, middle.promise);
      assert.strictEqual(killed.signal, "SIGKILL", killed.stderr);
      assert.strictEqual(killed.stdout, "");
      yield* Effect.gen(function* () {
        const store = yield* JobStore;
        assert.strictEqual(yield* lastSequence, 0);
        assert.strictEqual(yield* store.count, 0);
      }).pipe(Effect.provide(node(url)));
      const whole = yield* runSender(url, new Promise<void>(() => {}));
      assert.strictEqual(whole.stdout, "stored 1000\n", whole.stderr);
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* lastSequence, 1_000);
      }).pipe(Effect.provide(Nats.layer({ servers: url, name: "test" })));
    }).pipe(Effect.scoped),
  );

  it.live("finds out by itself that it was stored, when only the answer was lost", () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => startFaultProxy(url)),
        (open) => Effect.promise(() => open[Symbol.asyncDispose]()),
      );
      yield* Effect.gen(function* () {
        const store = yield* JobStore;
        yield* store.change([{ put: job("a") }]);
        const edits = [{ put: job("b") }, { put: job("a", { enabled: false }), ifRevision: 1 }, { remove: "none" }];
        let looks = 0;
        const writing = yield* Effect.forkChild(
          store.change(edits, {
            // The store was asked, and is told next: that answer is kept back, and then lost with its connection.
            complete: (each) => {
              if (looks++ === 0) proxy.set({ holdAnswers: true });
              return Result.succeed(each);
            },
          }),
        );
        const stored = Effect.repeat(lastSequence, { until: (sequence) => sequence === 3 });
        yield* stored.pipe(Effect.timeout(4_000), Effect.provide(Nats.layer({ servers: url, name: "direct" })));
        proxy.resetAll();
        proxy.set({ holdAnswers: false });
        assert.deepStrictEqual(yield* Fiber.join(writing), [
          { id: "b", change: "created", revision: 2 },
          { id: "a", change: "updated", revision: 3 },
          { id: "none", change: "unchanged", revision: 0 },
        ]);
        assert.strictEqual(looks, 2, "nothing was planned twice");
        assert.deepStrictEqual(yield* store.get("a"), { job: job("a", { enabled: false }), revision: 3 });
      }).pipe(Effect.provide(configNode(proxy.url)));
    }).pipe(Effect.scoped),
  );
});
