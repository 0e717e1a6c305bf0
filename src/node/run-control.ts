import { Effect, Result } from "effect";
import type { Limits } from "../domain/limits.ts";
import type { ControlOptions, CurrentCatalogue, GeneratorFaults } from "../control/rollout/control-options.ts";
import { runControlProcess } from "../control/rollout/control-process.ts";
import { DrillFaults } from "../actors/ports/drill-faults.ts";
import { drillGenerator } from "../control/rollout/drill-generator.ts";
import { settingsProblems } from "../destinations/registry.ts";
import { rolloutEnded } from "../observability/config-metrics.ts";
import { decodeManifest, manifestHash } from "../snapshot/manifest.ts";
import { decodeStoredJob, encodeJob } from "../streams/job-codec.ts";
import { fetchSnapshot } from "./follow-config.ts";
import { NodeConfiguration } from "./served-jobs.ts";

export interface RunControlOptions {
  readonly nodeName: string;
  readonly limits: Limits;
  readonly allowPrivateDestinations: boolean;
  readonly audit: ControlOptions["audit"];
  /** Of this node's files. */
  readonly catalogue: () => CurrentCatalogue;
  /** What a drill has armed. */
  readonly faults?: GeneratorFaults;
}

const knownPollMillis = 100;

/**
 * The control process of this node: it works while no other node's leads. What it proposes is what this node knows of
 * the push jobs: as long as it knows nothing, that would be nothing.
 */
export const runControl = Effect.fnUntraced(function* (options: RunControlOptions) {
  const configuration = yield* NodeConfiguration;
  const drill = yield* DrillFaults;
  const begin = Effect.gen(function* () {
    const control = yield* runControlProcess(
      controlOptionsOf(configuration, { faults: drillGenerator(drill), ...options }),
    );
    configuration.onNews(control.nudge);
  });
  if (configuration.feed.isKnown()) return yield* begin;
  const awaitKnown = Effect.sync(configuration.feed.isKnown).pipe(
    Effect.tap((isKnown) => (isKnown ? Effect.void : Effect.sleep(knownPollMillis))),
    Effect.repeat({ until: (isKnown) => isKnown }),
  );
  yield* Effect.forkScoped(Effect.andThen(awaitKnown, begin));
});

const controlOptionsOf = (
  { bucket, cell, feed, serving, store, stored }: NodeConfiguration["Service"],
  {
    allowPrivateDestinations,
    audit,
    catalogue,
    faults,
    limits,
    nodeName,
  }: RunControlOptions & { readonly faults: GeneratorFaults },
): ControlOptions => {
  return {
    node: nodeName,
    limits,
    store,
    stored,
    position: feed.position,
    isCaughtUp: feed.isCaughtUp,
    cell,
    current: serving.current,
    encodedCurrent: serving.encoded,
    fetch: (ref) =>
      fetchSnapshot(store, ref, serving.current(), limits).pipe(
        Effect.map(({ snapshot }) => snapshot),
        Effect.mapError(({ message }) => `snapshot ${ref.number}: ${message}`),
      ),
    hashOf: (number) =>
      Effect.map(store.getManifest(number), (encoded) =>
        encoded !== undefined && Result.isSuccess(decodeManifest(encoded)) ? manifestHash(encoded) : undefined,
      ),
    inStore: (id) =>
      bucket.read(id).pipe(
        Effect.map((entry) => {
          if (entry === undefined) return undefined;
          const { job, removed, revision } = entry;
          // What does not decode orders nothing.
          if (job === undefined && !removed) return undefined;
          const state = removed ? "removed" : job?.enabled === true ? "enabled" : "disabled";
          return { revision, state, ...(job === undefined ? {} : { data: encodeJob(job) }) } as const;
        }),
        Effect.mapError(({ detail }) => ({ _tag: "StoreSilent", detail }) as const),
      ),
    problemOf: ({ data, id }) => {
      const job = decodeStoredJob(id, data);
      if (job === undefined) return "it does not decode";
      return settingsProblems(job.destination, { allowPrivateDestinations })[0];
    },
    catalogue,
    faults,
    audit,
    ended: Effect.fnUntraced(function* ({ number, reason, result }) {
      yield* rolloutEnded(result);
      if (result === "complete") yield* Effect.logInfo("A configuration is in force everywhere.", { number });
      else yield* Effect.logError("A configuration is not in force.", { number, result, reason });
    }),
  };
};
