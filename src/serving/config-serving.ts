import { Clock, Effect, Result } from "effect";
import type { Manifest } from "../snapshot/manifest.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../snapshot/snapshot.ts";
import { keepNewest } from "./keep-newest.ts";
import type { LastKnownGood } from "./last-known-good.ts";
import { admit, type Adoption, type ConfigRefused, type ServingFacts, type ServingLimits } from "./serving-gate.ts";
import { adoptionUngated } from "./ungated.ts";

export interface ConfigServingOptions {
  readonly limits: ServingLimits;
  /** Identity of the job store; undefined: this node has never heard of it. */
  readonly cell: () => string | undefined;
  readonly isJob: ServingFacts["isJob"];
  readonly servedPair?: ServingFacts["servedPair"];
  /** Off only in a drill. */
  readonly isGateOn: () => boolean;
  /** Makes it what this node acts on. Adds up: an adoption is what differs from the one before. */
  readonly adopt: (adoption: Adoption, manifest: Manifest) => Effect.Effect<void>;
}

/** What this node serves: the newest snapshot that its own gate let past. */
export interface ConfigServing {
  /** Undefined: this node never had one. */
  readonly current: () => Snapshot | undefined;
  /** Its manifest as it is stored. */
  readonly encoded: () => Uint8Array | undefined;
  /** Gate and adoption; the copy on disk follows. What is refused changes nothing. */
  readonly offer: (
    next: Snapshot,
    encoded: Uint8Array,
    isAccepted: boolean,
    past: ServingFacts["past"],
  ) => Effect.Effect<void, ConfigRefused>;
}

/** Starts with what is on this node's disk: it was served before, so it is served again, whoever is away. */
export const makeConfigServing = Effect.fnUntraced(function* (
  lastKnownGood: LastKnownGood,
  options: ConfigServingOptions,
) {
  const kept = yield* lastKnownGood.load.pipe(
    Effect.catchTag("LastKnownGoodError", ({ message, path }) =>
      Effect.as(Effect.logError("The last known good configuration cannot be read.", { path, message }), undefined),
    ),
  );
  let current: Snapshot | undefined = kept;
  let encodedCurrent = kept?.encoded;
  if (current !== undefined) {
    const whole = wholeOf(current);
    if (Result.isFailure(whole)) {
      yield* Effect.logError("The last known good configuration is damaged: it is not used.", {
        message: whole.failure,
      });
      [current, encodedCurrent] = [undefined, undefined];
    } else {
      yield* options.adopt(whole.success, current.manifest);
      const { number, totals } = current.manifest;
      yield* Effect.logInfo("The last known good configuration is served.", { number, jobs: totals.jobs });
    }
  }

  const keep = yield* keepNewest(lastKnownGood);

  const offer: ConfigServing["offer"] = Effect.fn("serving.offer")(function* (next, encoded, isAccepted, past) {
    const { cell, isJob, limits, servedPair } = options;
    const nowMillis = yield* Clock.currentTimeMillis;
    const adoption = !options.isGateOn()
      ? yield* adoptionUngated(next, current)
      : yield* admit(next, { limits, current, cell: cell(), isAccepted, isJob, servedPair, nowMillis, past });
    yield* options.adopt(adoption, next.manifest);
    [current, encodedCurrent] = [next, encoded];
    keep({ snapshot: next, encoded });
  });
  const serving: ConfigServing = { current: () => current, encoded: () => encodedCurrent, offer };
  return serving;
});

/** Everything that a snapshot holds, as if nothing had been served before it. */
const wholeOf = (snapshot: Snapshot): Result.Result<Adoption, string> => {
  const put: Array<SnapshotEntry> = [];
  const removed: Array<SnapshotEntry> = [];
  for (let segment = 0; segment < snapshot.manifest.segments.length; segment++) {
    const entries = entriesOf(snapshot, segment);
    if (Result.isFailure(entries)) return Result.fail(`segment ${segment}: ${entries.failure.message}`);
    for (const entry of entries.success) (entry.state === "removed" ? removed : put).push(entry);
  }
  return Result.succeed({ put, removed });
};
