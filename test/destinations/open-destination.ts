import { Effect, Layer, type Scope } from "effect";
import { Destinations, type OpenDestination } from "../../src/actors/ports/destinations.ts";
import { type DestinationsOptions, layerDestinations } from "../../src/destinations/registry.ts";
import type { Destination } from "../../src/domain/destination.ts";
import { jobTo } from "./push-jobs.ts";

/** A destination over connections of its own, closed with the scope. */
export const openDestination = (
  destination: Destination,
  options: Partial<DestinationsOptions> = {},
): Effect.Effect<OpenDestination, never, Scope.Scope> =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      layerDestinations({
        allowPrivateDestinations: true,
        pushMillisMax: 5_000,
        pushStallMillisMax: 4_000,
        multipartBytesMin: 16_777_216,
        connectionsPerHostMax: 8,
        ...options,
      }),
    );
    return yield* Effect.flatMap(Destinations, ({ open }) => open(jobTo(destination))).pipe(Effect.provide(services));
  });
