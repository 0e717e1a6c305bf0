import { createServer } from "node:net";
import { Effect, Random } from "effect";
import { EmbeddedServerError } from "./embedded-server-error.ts";

/**
 * Below the ports that Linux (32768 up) and macOS (49152 up) give to outgoing connections. A port among those could go
 * to some connection while nats-server restarts, even to a client's own attempt to reconnect, which would then be
 * connected to itself and hold the port.
 */
const first = 20_000;
const last = 29_999;
const triesMax = 50;

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export const findFreePort: Effect.Effect<number, EmbeddedServerError> = Effect.gen(function* () {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = Math.floor(yield* Random.nextBetween(first, last + 1));
    if (yield* isFree(port)) return port;
  }
  return yield* new EmbeddedServerError({
    reason: "start",
    message: `No free port on 127.0.0.1 between ${first} and ${last} after ${triesMax} tries.`,
  });
});

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const server = createServer();
    server.once("error", () => resume(Effect.succeed(false)));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resume(Effect.succeed(true))));
  });
