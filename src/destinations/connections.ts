import { Effect, type Scope } from "effect";
import type { LookupFunction } from "node:net";
import { Agent } from "undici";
import { guardedConnector } from "./guard.ts";

/** A connect that takes longer has found a dead host. Never longer than a whole push. */
const connectMillisMax = 10_000;

/**
 * Idle connections are kept across a few upload intervals of busy jobs; servers that hint a shorter time are heeded.
 */
const keepAliveMillis = 15_000;

/**
 * The process's connections to destinations: one pool per origin, at most `connectionsPerHostMax` each. An origin is
 * forgotten when its last connection closes, so that their number is bounded by the push jobs at work.
 */
export const openConnections = (options: {
  readonly allowPrivateDestinations: boolean;
  readonly pushMillisMax: number;
  readonly connectionsPerHostMax: number;
  /** For tests. */
  readonly resolve?: LookupFunction;
}): Effect.Effect<Agent, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new Agent({
          connections: options.connectionsPerHostMax,
          pipelining: 1,
          allowH2: false,
          keepAliveTimeout: keepAliveMillis,
          keepAliveMaxTimeout: 60_000,
          connect: guardedConnector({
            allowPrivateDestinations: options.allowPrivateDestinations,
            connectMillisMax: Math.min(connectMillisMax, options.pushMillisMax),
            ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
          }),
        }),
    ),
    // destroy(), not close(): whoever pushed has been interrupted or has its outcome by now.
    (agent) => Effect.promise(() => agent.destroy()),
  );
