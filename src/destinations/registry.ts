import { Effect, Layer, type Scope } from "effect";
import type { LookupFunction } from "node:net";
import type { Dispatcher } from "undici";
import { Destinations, type OpenDestination } from "../actors/ports/destinations.ts";
import type { Destination } from "../domain/destination.ts";
import type { PushJob } from "../domain/push-job.ts";
import { openConnections } from "./connections.ts";
import { fileDestination } from "./file/service.ts";
import { deriveFile } from "./file/settings.ts";
import { httpDestination } from "./http/service.ts";
import { deriveHttp } from "./http/settings.ts";
import { s3Destination } from "./s3/service.ts";
import { deriveS3 } from "./s3/settings.ts";
import { problemsOutcome, type SettingsProblem } from "./settings-problem.ts";

export interface DestinationsOptions {
  /** Whether http and s3 may push to loopback, private and link-local addresses. `spillway dev` says yes. */
  readonly allowPrivateDestinations: boolean;
  /** The longest push, whatever a job's own timeout says. */
  readonly pushMillisMax: number;
  /** Without any progress. */
  readonly pushStallMillisMax: number;
  /** Compressed bytes from which on s3 uploads in parts. */
  readonly multipartBytesMin: number;
  readonly connectionsPerHostMax: number;
  /** The resolver, for tests of the guard. */
  readonly resolve?: LookupFunction;
}

/** The three kinds of destinations over one set of connections. */
export const layerDestinations = (options: DestinationsOptions): Layer.Layer<Destinations> =>
  Layer.effect(
    Destinations,
    Effect.gen(function* () {
      const dispatcher = yield* openConnections(options);
      return Destinations.of({ open: (job: PushJob) => openDestination(job.destination, options, dispatcher) });
    }),
  );

const openDestination = (
  destination: Destination,
  options: DestinationsOptions,
  dispatcher: Dispatcher,
): Effect.Effect<OpenDestination, never, Scope.Scope> => {
  switch (destination.kind) {
    case "file": {
      const derived = deriveFile(destination, options);
      return derived.ok ? fileDestination(derived.settings) : Effect.succeed(unusable("file", derived.problems));
    }
    case "http": {
      const derived = deriveHttp(destination, options);
      return Effect.succeed(
        derived.ok ? httpDestination(derived.settings, dispatcher) : unusable("http", derived.problems),
      );
    }
    case "s3": {
      const derived = deriveS3(destination, options);
      return Effect.succeed(
        derived.ok ? s3Destination(derived.settings, dispatcher) : unusable("s3", derived.problems),
      );
    }
  }
};

/** Settings that cannot work are an outcome of every push, not a failure to open: the job then shows why it stands. */
const unusable = (kind: Destination["kind"], problems: ReadonlyArray<SettingsProblem>): OpenDestination => ({
  push: () => Effect.succeed(problemsOutcome(problems)),
  locate: () => `${kind} destination with unusable settings`,
  host: kind,
});

/**
 * What is wrong with a destination's settings, in sentences for the person who wrote them, without a secret and without
 * asking the network. Empty when a push may be tried.
 */
export const settingsProblems = (
  destination: Destination,
  options: { readonly allowPrivateDestinations: boolean },
): ReadonlyArray<string> => {
  // Bounds that no job can contradict: only the settings themselves are judged.
  const anyLimits = { ...options, pushMillisMax: Infinity, pushStallMillisMax: Infinity, multipartBytesMin: Infinity };
  const derived = deriveAny(destination, anyLimits);
  return derived.ok ? [] : derived.problems.map(({ text }) => text);
};

const deriveAny = (destination: Destination, options: Parameters<typeof deriveS3>[1]) => {
  switch (destination.kind) {
    case "file":
      return deriveFile(destination, options);
    case "http":
      return deriveHttp(destination, options);
    case "s3":
      return deriveS3(destination, options);
  }
};
