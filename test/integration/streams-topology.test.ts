import { assert, it } from "@effect/vitest";
import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { Effect } from "effect";
import * as fc from "fast-check";
import { isId } from "../../src/domain/ids.ts";
import { partitionOf } from "../../src/domain/partition.ts";
import { directGet } from "../../src/streams/direct-get.ts";
import { Nats } from "../../src/streams/nats.ts";
import { reconcileDeadLetters, reconcileTopology, type TopologyOptions } from "../../src/streams/topology.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats, topologyOf } from "../support/world.ts";

/** Name and settings of every stream there is, for "nothing was changed". */
const allStreams = Effect.gen(function* () {
  const { control } = yield* Nats;
  return yield* Effect.promise(async () => {
    const manager = await jetstreamManager(control);
    const infos = await manager.streams.list().next();
    return infos
      .map(({ config, created }) => ({ config, created }))
      .toSorted((a, b) => (a.config.name < b.config.name ? -1 : 1));
  });
});

/** What a node with these settings is told, and that it touched nothing. */
const refusalOf = Effect.fnUntraced(function* (options: TopologyOptions) {
  const before = yield* allStreams;
  const refusal = yield* reconcileTopology(options).pipe(Effect.flip);
  assert.deepStrictEqual(yield* allStreams, before);
  assert.strictEqual(refusal._tag, "TopologyMismatch");
  return refusal.message;
});

describeNats("topology", (startNats) => {
  it.live("creates two streams per partition and one for dead letters, and finds nothing to do the second time", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        yield* reconcileTopology(topologyOf(3));
        yield* reconcileDeadLetters(topologyOf(3));
        const created = yield* allStreams;
        const names = created.map(({ config }) => config.name);
        assert.deepStrictEqual(names, ["CTL_000", "CTL_001", "CTL_002", "DEAD", "LOG_000", "LOG_001", "LOG_002"]);
        const log = created[4]!.config;
        assert.deepInclude(log, { allow_direct: true, allow_atomic: true, deny_delete: true, discard: "old" });
        assert.strictEqual(created[0]!.config.max_msgs_per_subject, 1);
        yield* reconcileTopology(topologyOf(3));
        yield* reconcileDeadLetters(topologyOf(3));
        assert.deepStrictEqual(yield* allStreams, created);
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("refuses another setting or another number of partitions, says which, and changes nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        yield* reconcileTopology(topologyOf(2));
        const message = yield* refusalOf(topologyOf(2, { logBytesMax: 134_217_728 }));
        assert.include(message, "max_bytes is 268435456, wanted 134217728");
        for (const partitions of [1, 3, 4, 16]) {
          assert.include(yield* refusalOf(topologyOf(partitions)), `partitions is 2, wanted ${partitions}`);
        }
        // The settings that it was created with are still good.
        yield* reconcileTopology(topologyOf(2));
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("creates nothing beside streams that do not fit", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const { control } = yield* Nats;
        yield* reconcileTopology(topologyOf(2));
        yield* Effect.promise(async () => (await jetstreamManager(control)).streams.delete("LOG_000"));
        assert.include(yield* refusalOf(topologyOf(2, { logBytesMax: 134_217_728 })), "LOG_001");
        assert.include(yield* refusalOf(topologyOf(4)), "partitions is 2, wanted 4");
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("says plainly that the server's max_payload is too small", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats({ maxPayloadBytes: 1_048_576 });
      yield* Effect.gen(function* () {
        const message = yield* refusalOf(topologyOf(1));
        assert.include(message, "max_payload is 1048576 bytes; Spillway needs 8388608");
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("puts every pair in the partition that the server's own mapping computes", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const { control, publish, read } = yield* Nats;
        const id = fc.stringMatching(/^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$/).filter(isId);
        const pairs = fc.sample(fc.tuple(id, id), { numRuns: 300, seed: 20_241_114 });
        for (const partitions of [8, 61]) {
          const name = `SCRATCH_${partitions}`;
          yield* Effect.promise(async () => {
            const manager = await jetstreamManager(control);
            await manager.streams.add({
              name,
              subjects: [`raw${partitions}.*.*`],
              storage: StorageType.Memory,
              allow_direct: true,
              subject_transform: {
                src: `raw${partitions}.*.*`,
                dest: `{{partition(${partitions},1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}`,
              },
            });
            await Promise.all(
              pairs.map(([customer, dataset]) => publish.request(`raw${partitions}.${customer}.${dataset}`)),
            );
          });
          const stored = yield* directGet(read, {
            stream: name,
            sequence: 1,
            messagesMax: 1_000,
            bytesMax: 4_194_304,
            timeoutMillis: 5_000,
          });
          const theirs = stored.map(({ subject }) => subject).toSorted();
          const ours = pairs.map(
            ([customer, dataset]) => `${partitionOf(customer, dataset, partitions)}.${customer}.${dataset}`,
          );
          assert.deepStrictEqual(theirs, ours.toSorted());
        }
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );
});
