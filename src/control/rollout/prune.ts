import { Effect, Result } from "effect";
import { decodeManifest } from "../../snapshot/manifest.ts";
import type { Desk } from "./desk.ts";

/** The store is cleared up after so many rollouts. */
const rolloutsBetween = 20;
const requestsMax = 8;

/**
 * Takes snapshots out of the store that nobody goes back to: all but the newest. While no rollout is under way, and by
 * whoever leads: nothing is being added meanwhile.
 */
export const pruneIfDue = Effect.fn("control.pruneIfDue")(function* (desk: Desk) {
  const { prunedAt, state } = desk;
  if (desk.machine.value !== "idle" || state.published === null) return;
  if (prunedAt !== undefined && state.records - prunedAt < rolloutsBetween) return;
  desk.prunedAt = state.records;
  const { limits, store } = desk.options;
  const { blobs, manifests } = yield* store.contents;
  const newest = manifests.toSorted((a, b) => b - a).slice(0, limits.configSnapshotsMax);
  const kept = new Set([...newest, state.published.number]);
  const left = manifests.filter((number) => !kept.has(number));
  if (left.length === 0) return;
  const named = new Set<string>();
  for (const number of kept) {
    const encoded = yield* store.getManifest(number);
    if (encoded === undefined) continue;
    const manifest = decodeManifest(encoded);
    // What it names is not known: then nothing can be said to be unnamed.
    if (Result.isFailure(manifest)) return;
    for (const { hash } of [...manifest.success.segments, manifest.success.catalogue]) named.add(hash);
  }
  // Manifests first: one that is there must have all that it names.
  yield* Effect.forEach(left, store.removeManifest, { concurrency: requestsMax, discard: true });
  const unnamed = blobs.filter((hash) => !named.has(hash));
  yield* Effect.forEach(unnamed, store.removeBlob, { concurrency: requestsMax, discard: true });
  yield* Effect.logDebug("The store of configurations was cleared up.", {
    snapshots: left.length,
    segments: unnamed.length,
  });
});
