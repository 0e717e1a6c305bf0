import { Clock, Effect, type Scope } from "effect";
import { totalmem } from "node:os";
import type { Limits } from "../domain/limits.ts";
import { EventLoopDelay } from "../forwarder/event-loop-delay.ts";

/** Of the memory that the machine or the container gives, so much may be ours: the rest is files and nats-server. */
const memoryShare = 0.8;

/** What admission reads of this process. A small machine bounds memory before the limit does. */
export const readNode = Effect.gen(function* () {
  const clock = yield* Clock.Clock;
  const delay: EventLoopDelay = yield* EventLoopDelay.make(() => clock.currentTimeMillisUnsafe());
  const constrained = process.constrainedMemory();
  const given = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return ({ memoryBytesMax }: Limits) => ({
    memoryBytes: () => process.memoryUsage.rss(),
    memoryBytesMax: Math.min(memoryBytesMax, Math.floor(given * memoryShare)),
    eventLoopDelayMillis: () => delay.meanMillis(),
  });
}) satisfies Effect.Effect<unknown, never, Scope.Scope>;
