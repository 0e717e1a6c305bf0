import { Clock, Effect, Result } from "effect";
import { decodeManifest, type Manifest } from "../../snapshot/manifest.ts";
import { type Desk, saveDesk } from "./desk.ts";
import { keptSnapshots } from "./kept-snapshots.ts";

/** The store is cleared up after so many rollouts. */
const rolloutsBetween = 20;
const requestsMax = 8;

/**
 * Takes snapshots out of the store that nobody goes back to: all but the newest, and a few of each day. While no
 * rollout is under way, and by whoever leads: nothing is being added meanwhile.
 */
export const pruneIfDue = Effect.fn("control.pruneIfDue")(function* (desk: Desk) {
  const { prunedAt, state } = desk;
  if (desk.machine.value !== "idle" || state.published === null) return;
  if (prunedAt !== undefined && state.records - prunedAt < rolloutsBetween) return;
  desk.prunedAt = state.records;
  const { limits, store } = desk.options;
  const { blobs, bytes, manifests } = yield* store.contents;
  const newest = manifests.toSorted((a, b) => b - a).slice(0, limits.configSnapshotsMax);
  if (newest.length === manifests.length) return;
  const read = new Map<number, Manifest>();
  for (const number of manifests) {
    const encoded = yield* store.getManifest(number);
    const manifest = encoded === undefined ? undefined : Result.getOrUndefined(decodeManifest(encoded));
    if (manifest !== undefined) read.set(number, manifest);
  }
  // A store that fills up must take the next change before it remembers last week.
  const isRoomy = bytes <= limits.configBytesMax / 2;
  const old = isRoomy ? keptSnapshots([...read.values()], yield* Clock.currentTimeMillis) : [];
  // What is in force, and what it brought back: a node that comes back compares the two.
  const { number: inForce } = state.published;
  const { rollbackOf = inForce } = read.get(inForce) ?? {};
  const kept = new Set([...newest, ...old, inForce, ...(read.has(rollbackOf) ? [rollbackOf] : [])]);
  const left = manifests.filter((number) => !kept.has(number));
  if (left.length === 0) return;
  const named = new Set<string>();
  for (const number of kept) {
    const manifest = read.get(number);
    // What it names is not known: then nothing can be said to be unnamed.
    if (manifest === undefined) return;
    for (const { hash } of [...manifest.segments, manifest.catalogue]) named.add(hash);
  }
  // By compare-and-set: whoever leads by now may be storing what is named nowhere yet.
  yield* saveDesk(desk);
  // Manifests first: one that is there must have all that it names.
  yield* Effect.forEach(left, store.removeManifest, { concurrency: requestsMax, discard: true });
  const unnamed = blobs.filter((hash) => !named.has(hash));
  yield* Effect.forEach(unnamed, store.removeBlob, { concurrency: requestsMax, discard: true });
  yield* Effect.logDebug("The store of configurations was cleared up.", {
    snapshots: left.length,
    segments: unnamed.length,
  });
});
