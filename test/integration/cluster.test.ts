import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect, Fiber, Layer, Schedule } from "effect";
import { inject } from "vitest";
import { Log } from "../../src/actors/ports/log.ts";
import { Outbox } from "../../src/actors/ports/outbox.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { reconcileTopology } from "../../src/streams/topology.ts";
import { startNatsCluster } from "../support/nats-cluster.ts";
import { WrittenLines } from "../support/nats-lines.ts";
import { linesByPair, numbersByWriter, oneTo, readWholeLog } from "../support/nats-log.ts";
import {
  spansOf,
  layerNats,
  layerOutboxFor,
  layerStores,
  pairsOf,
  quiet,
  someJobs,
  topologyOf,
  until,
} from "../support/world.ts";

/** Nobody answers while a leader is elected: asked again, for 20 s at most. */
const onceElected = <A, E, R>(question: Effect.Effect<A, E, R>) =>
  question.pipe(Effect.retry(Schedule.max([Schedule.spaced(200), Schedule.during(20_000)])));

/** The leader of the stream, as soon as it has one. */
const leaderOf = (stream: string) =>
  onceElected(
    Effect.gen(function* () {
      const { control } = yield* Nats;
      const leader = yield* attempt("manage", async () => {
        const manager = await jetstreamManager(control, { checkAPI: false, timeout: 1_000 });
        return (await manager.streams.info(stream)).cluster?.leader;
      });
      return leader === undefined || leader === "" ? yield* Effect.fail("no leader" as const) : leader;
    }),
  );

/** All that the leader has; a replica that answers may be behind it for a moment. */
const readReplicatedLog = Effect.fnUntraced(function* () {
  const log = yield* Log;
  const { lastSequence } = yield* onceElected(log.describe(0));
  return yield* onceElected(
    Effect.flatMap(readWholeLog(0), (messages) =>
      messages.length < lastSequence ? Effect.fail("behind" as const) : Effect.succeed({ messages, lastSequence }),
    ),
  );
});

it.live(
  "stores every record once, in order, when the leader of a replicated log is killed during writes",
  () =>
    Effect.gen(function* () {
      const cluster = yield* Effect.acquireDisposable(Effect.promise(() => startNatsCluster(inject("natsServer"))));
      const jobs = someJobs(4, 1);
      const pairs = pairsOf(jobs);
      const lines = new WrittenLines();
      const world = layerOutboxFor(jobs, 1).pipe(
        Layer.provideMerge(layerStores()),
        Layer.provideMerge(layerNats(cluster.servers)),
        Layer.provideMerge(quiet),
      );
      yield* Effect.gen(function* () {
        // The meta group elects its leader first.
        yield* onceElected(reconcileTopology(topologyOf(1, { replicas: 3 })));
        const outbox = yield* Outbox;
        let written = 0;
        const producer = { on: true };
        const produce = Effect.gen(function* () {
          for (let i = 0; producer.on; i++) {
            const large = i % 10 === 0 ? pairs.slice(0, 3).map((pair) => lines.next(pair, 150, 600)) : [];
            yield* outbox.write(spansOf([...large, lines.next(pairs[i % 4]!, 2)]), undefined);
            written += 1;
          }
        });
        const producing = yield* Effect.forkChild(produce);
        yield* until("some requests", () => written > 50);
        const leader = yield* leaderOf("LOG_000");
        yield* Effect.promise(() => cluster.kill(leader));
        const before = written;
        yield* until("requests after the election", () => written > before + 50, 30_000);
        producer.on = false;
        yield* Fiber.join(producing);
        assert.notStrictEqual(yield* leaderOf("LOG_000"), leader);
        const { lastSequence, messages } = yield* readReplicatedLog();
        assert.strictEqual(messages.length, lastSequence);
        for (const numbers of numbersByWriter(messages).values())
          assert.deepStrictEqual(numbers, oneTo(messages.length));
        const stored = linesByPair(messages);
        for (const pair of pairs) assert.deepStrictEqual(stored.get(pair.key), lines.all().get(pair.key));
      }).pipe(Effect.provide(world));
    }),
  55_000,
);
