import { assert, it } from "@effect/vitest";
import { jetstreamManager } from "@nats-io/jetstream";
import { Effect, Layer, Result } from "effect";
import { inject, vi } from "vitest";
import { createStream } from "../../src/streams/create-stream.ts";
import { startEmbeddedServer } from "../../src/streams/embedded/server.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { makeTemporaryDirectory } from "../streams/embedded/temporary-directory.ts";
import { layerNats, quiet } from "../support/world.ts";

const megabyte = 1_048_576;
/** Room for one of them, and not for two. */
const wanted = { name: "BIG", subjects: ["big.>"], max_bytes: 80 * megabyte };

const server = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => makeTemporaryDirectory()),
    (made) => Effect.promise(() => made[Symbol.asyncDispose]()),
  );
  vi.stubEnv("NATS_SERVER", inject("natsServer"));
  return yield* startEmbeddedServer({
    dataDirectory: directory.path,
    fileStoreBytesMax: 100 * megabyte,
    messageBytesMax: megabyte,
  });
});

const manager = Effect.gen(function* () {
  const { control } = yield* Nats;
  return yield* attempt("manage", () => jetstreamManager(control));
});

it.live("nodes that start at once create the same stream, though the server counts it for each of them", () =>
  Effect.gen(function* () {
    const { url } = yield* server;
    const managers = yield* Effect.forEach([1, 2, 3, 4], (each) =>
      Effect.gen(function* () {
        const context = yield* Layer.build(layerNats(url, `node-${each}`));
        return yield* manager.pipe(Effect.provideContext(context));
      }),
    );
    const refused: Array<string> = [];
    for (let round = 0; round < 40; round++) {
      const together = yield* Effect.forEach(managers, (each) => Effect.result(createStream(each, wanted)), {
        concurrency: "unbounded",
      });
      refused.push(...together.flatMap((each) => (Result.isFailure(each) ? [each.failure.detail] : [])));
      yield* attempt("manage", () => managers[0]!.streams.delete(wanted.name));
    }
    assert.deepStrictEqual(refused, []);
  }).pipe(Effect.scoped, Effect.provide(quiet)),
);

it.live("a store that has no room for a stream is named, with what to do", () =>
  Effect.gen(function* () {
    const { url } = yield* server;
    const context = yield* Layer.build(layerNats(url));
    const own = yield* manager.pipe(Effect.provideContext(context));
    const error = yield* Effect.flip(createStream(own, { ...wanted, max_bytes: 120 * megabyte }));
    assert.match(error.detail, /insufficient storage .*BIG.* reserves 125829120 bytes: raise max_file_store/);
  }).pipe(Effect.scoped, Effect.provide(quiet)),
);
