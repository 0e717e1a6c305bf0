import { Effect, type Scope } from "effect";
import { describe, inject } from "vitest";
import { engine } from "./engine.ts";
import { startContainerNats } from "./nats-container.ts";
import { startSpawnedNats } from "./nats-spawned.ts";
import type { NatsSettings, NatsUnderTest } from "./nats-under-test.ts";

export type StartNats = (settings?: Partial<NatsSettings>) => Effect.Effect<NatsUnderTest, never, Scope.Scope>;

const acquire = (start: () => Promise<NatsUnderTest>) => Effect.acquireDisposable(Effect.promise(start));

/** The same body against a spawned nats-server, always, and against one in a container where an engine answers. */
export const describeNats = (name: string, body: (start: StartNats) => void): void => {
  describe(`${name}, spawned nats-server`, () => {
    body((settings = {}) => acquire(() => startSpawnedNats(inject("natsServer"), settings)));
  });
  describe.skipIf(!engine)(`${name}, nats-server in a container`, () => {
    body((settings = {}) => acquire(() => startContainerNats(settings)));
  });
};
