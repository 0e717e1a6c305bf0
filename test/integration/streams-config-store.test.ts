import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect } from "effect";
import { randomBytes } from "node:crypto";
import { openConfigStore } from "../../src/streams/config-store.ts";
import { Nats } from "../../src/streams/nats.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats } from "../support/world.ts";

const hashOf = (letter: string) => letter.repeat(64);
const pointer = { number: 1, hash: hashOf("a"), accepted: false };

describeNats("the config store", (startNats) => {
  it.live("keeps what is named by a hash or a number once and for ever, whoever writes it how often", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const store = yield* openConfigStore({ replicas: 1, configBytesMax: 268_435_456 });
        const large = randomBytes(1_300_000);
        assert.isUndefined(yield* store.getBlob(hashOf("a"), 2_000_000));
        for (let i = 0; i < 2; i++) yield* store.putBlob(hashOf("a"), large);
        yield* store.putBlob(hashOf("b"), Buffer.alloc(0));
        assert.isTrue(large.equals((yield* store.getBlob(hashOf("a"), 2_000_000))!));
        assert.strictEqual((yield* store.getBlob(hashOf("b"), 10))!.length, 0);
        const tooLarge = yield* store.getBlob(hashOf("a"), 100_000).pipe(Effect.flip);
        assert.strictEqual(tooLarge.reason, "damaged", "no more memory than was granted");
        yield* store.putManifest(7, Buffer.from("seven"));
        yield* store.putManifest(7, Buffer.from("seven"));
        const conflict = yield* store.putManifest(7, Buffer.from("another")).pipe(Effect.flip);
        assert.deepStrictEqual([conflict.reason, conflict.message], ["conflict", "there is another snapshot 7"]);
        assert.strictEqual(Buffer.from((yield* store.getManifest(7))!).toString(), "seven");
        assert.isUndefined(yield* store.getManifest(8));
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("says that a blob is damaged when a part of it is gone, and finds none while it is being written", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const store = yield* openConfigStore({ replicas: 1, configBytesMax: 268_435_456 });
        yield* store.putBlob(hashOf("c"), randomBytes(1_100_000));
        const { control } = yield* Nats;
        const purge = (part: number) =>
          Effect.promise(async () => {
            const manager = await jetstreamManager(control);
            await manager.streams.purge("CONFIG", { filter: `config.blob.${hashOf("c")}.${part}` });
          });
        yield* purge(2);
        assert.strictEqual((yield* store.getBlob(hashOf("c"), 2_000_000).pipe(Effect.flip)).reason, "damaged");
        // As a writer leaves it that dies before the first part, which it writes last.
        yield* purge(0);
        assert.isUndefined(yield* store.getBlob(hashOf("c"), 2_000_000));
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );

  it.live("lets nobody overwrite a decision that they have not seen", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* Effect.gen(function* () {
        const store = yield* openConfigStore({ replicas: 1, configBytesMax: 268_435_456 });
        const other = yield* openConfigStore({ replicas: 1, configBytesMax: 268_435_456 });
        assert.isUndefined(yield* store.pointer);
        const revision = yield* store.point(pointer, 0);
        assert.strictEqual((yield* other.point({ ...pointer, number: 2 }, 0).pipe(Effect.flip)).reason, "conflict");
        const second = yield* other.point({ ...pointer, number: 2 }, revision);
        assert.deepStrictEqual(yield* store.pointer, { value: { ...pointer, number: 2 }, revision: second });
        assert.strictEqual((yield* store.point(pointer, revision).pipe(Effect.flip)).reason, "conflict");
        const at = yield* store.putState("rollout", { value: "idle" }, 0);
        assert.deepStrictEqual(yield* other.state("rollout"), { value: { value: "idle" }, revision: at });
        yield* store.putState("pointer", { number: "x" }, second);
        assert.strictEqual((yield* store.pointer.pipe(Effect.flip)).reason, "damaged", "never guessed");
      }).pipe(Effect.provide(layerNats(url)));
    }),
  );
});
