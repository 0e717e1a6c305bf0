import { assert, it } from "@effect/vitest";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { Effect, Fiber } from "effect";
import { Log } from "../../src/actors/ports/log.ts";
import { seedRegister } from "../../src/streams/checkpoint-store.ts";
import { Nats } from "../../src/streams/nats.ts";
import { reconcileTopology } from "../../src/streams/topology.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import {
  byJob,
  checkpointOf,
  claimAs,
  inspect,
  layerStoresAt,
  rowOf,
  rows,
  withStores,
} from "../support/nats-checkpoints.ts";
import { describeNats } from "../support/nats-variants.ts";
import { topologyOf, until } from "../support/world.ts";

/** Answers as a replica does that has the stream's messages up to sequence `known`. */
const answerDirectGet = async (manager: JetStreamManager, connection: NatsConnection, request: Msg, known: number) => {
  const { seq } = request.json<{ seq: number }>();
  for (let sequence = seq; sequence <= known; sequence++) {
    const stored = await manager.streams.getMessage("CTL_000", { seq: sequence });
    if (stored === null) continue;
    const all = headers();
    all.set("Nats-Sequence", String(stored.seq));
    all.set("Nats-Subject", stored.subject);
    all.set("Nats-Time-Stamp", stored.timestamp);
    connection.publish(request.reply!, stored.data, { headers: all });
  }
  connection.publish(request.reply!, "", { headers: headers(204, "EOB") });
};

describeNats("checkpoints under faults", (startNats) => {
  it.live("recognises a checkpoint of its own whose acknowledgement was lost", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      const proxy = yield* Effect.acquireDisposable(Effect.promise(() => startFaultProxy(url)));
      yield* withStores(
        proxy.url,
        Effect.gen(function* () {
          const claim = yield* claimAs("me");
          yield* claim.write(checkpointOf(claim, 1, { rows: rows(2) }));
          const direct = layerStoresAt(url);
          const storedScan = inspect.pipe(
            Effect.map(({ register }) => register?.scan),
            Effect.provide(direct),
          );
          for (const [scan, many] of [
            [2, 0],
            [3, 5],
            [4, 1_500],
          ] as const) {
            proxy.set({ holdAnswers: true });
            const writing = yield* Effect.forkChild(claim.write(checkpointOf(claim, scan, { rows: rows(many) })));
            // Landed in whole or, of several batches, in its first; the answer is on its way and never arrives.
            yield* until("the answer is kept back", () => proxy.heldBytes() > 0);
            proxy.resetAll();
            proxy.set({ holdAnswers: false });
            yield* Fiber.join(writing);
            assert.strictEqual(yield* storedScan, scan);
          }
          yield* claim.write(checkpointOf(claim, 5));
          assert.strictEqual(yield* storedScan, 5);
        }),
        400,
      );
    }),
  );

  it.live("says that a stopped server took nothing, and goes on where it was although the write lands later", () =>
    Effect.gen(function* () {
      const nats = yield* startNats();
      yield* withStores(
        nats.url,
        Effect.gen(function* () {
          const claim = yield* claimAs("me");
          yield* Effect.promise(() => nats.pause());
          const startMillis = performance.now();
          const silence = yield* claim.write(checkpointOf(claim, 7, { rows: rows(2) })).pipe(Effect.flip);
          // It waits for the answer and for the register: a checkpoint cannot be interrupted, so both have the one
          // deadline.
          assert.isBelow(performance.now() - startMillis, 2_000);
          assert.strictEqual(silence._tag, "CheckpointUnavailable");
          yield* Effect.promise(() => nats.resume());
          yield* claim.write(checkpointOf(claim, 8, { rows: rows(2, { cursor: 5 }) }));
          const stored = yield* inspect;
          assert.strictEqual(stored.register?.scan, 8);
          assert.deepStrictEqual(stored.rows, rows(2, { cursor: 5 }));
        }),
        400,
      );
    }),
  );

  it.live("asks again when a replica that lags answers a claim: the rows are as they were last written", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const { control, read } = yield* Nats;
          const first = yield* claimAs("first");
          yield* first.write(checkpointOf(first, 5, { rows: rows(4) }));
          yield* first.write(checkpointOf(first, 6, { rows: [rowOf(2, { cursor: 50 })] }));
          const manager = yield* Effect.promise(() => jetstreamManager(control));
          const { config } = yield* Effect.promise(() => manager.streams.info("CTL_000"));
          yield* Effect.promise(() => manager.streams.update("CTL_000", { ...config, allow_direct: false }));
          // A replica of our own making answers instead of the server: it learns one message with every question.
          let known = 0;
          read.subscribe("$JS.API.DIRECT.GET.CTL_000", {
            callback: (_, request) => {
              known += 1;
              void answerDirectGet(manager, read, request, known);
            },
          });
          yield* Effect.promise(() => read.flush());
          const second = yield* claimAs("second");
          assert.deepStrictEqual(byJob([...second.rows]), [rowOf(0), rowOf(1), rowOf(2, { cursor: 50 }), rowOf(3)]);
          assert.isAbove(known, 5);
        }),
      );
    }),
  );

  it.live("does not claim a partition whose log has content and whose register is gone", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        yield* reconcileTopology(topologyOf(1));
        const log = yield* Log;
        yield* log.tick(0);
        // Too late to be the first: a log with content is not seeded.
        yield* seedRegister(0, yield* log.describe(0), 2_000);
        const refusal = yield* claimAs("me").pipe(Effect.flip);
        assert.strictEqual(refusal._tag, "CheckpointUnavailable");
        assert.match((refusal as { detail: string }).detail, /holds 1 messages but there is no register/);
        assert.isUndefined((yield* inspect).register);
      }).pipe(Effect.provide(layerStoresAt(url)));
    }),
  );
});
