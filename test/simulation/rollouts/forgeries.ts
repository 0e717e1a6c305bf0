import { Result } from "effect";
import { encodeManifest, type Manifest, manifestHash } from "../../../src/snapshot/manifest.ts";
import { encodeSegment, type SnapshotEntry } from "../../../src/snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../../../src/snapshot/snapshot.ts";
import type { RolloutWorld } from "./rollout-world.ts";

/** What somebody makes all nodes serve past the control process: each node's own gate is all that is in the way. */
export const forgeries = [
  "nothing",
  "half",
  "otherCell",
  "future",
  "backInTime",
  "wrongCounts",
  "earlierRevision",
  "otherContent",
  "falseRollback",
] as const;
export type Forgery = (typeof forgeries)[number];

export const forge = (world: RolloutWorld, forgery: Forgery): void => {
  const running = world.nodes.find(({ process }) => process !== undefined);
  const base = running?.process?.configuration.serving.current();
  // Of a store that was lost this moment, whatever it names is all that a control process knows: one fault at a time.
  if (base === undefined || !world.snapshots.isInUse()) return;
  if (forgery === "backInTime") return world.snapshots.repoint(world.snapshots.everTold[0]!);
  const { blobs, manifest } = forged(base, forgery, world.snapshots.everTold[0]!.number);
  const encoded = encodeManifest(manifest);
  world.snapshots.forge(manifest.number, encoded, blobs, manifestHash(encoded));
};

const forged = (
  base: Snapshot,
  forgery: Exclude<Forgery, "backInTime">,
  first: number,
): { manifest: Manifest; blobs: Map<string, Uint8Array> } => {
  // Else it would have to be what that brings back.
  const { rollbackOf: _, ...own } = base.manifest;
  // Far above whatever is coming.
  const manifest = { ...own, number: base.manifest.number + 100_000, previous: base.manifest.number };
  const none = new Map<string, Uint8Array>();
  switch (forgery) {
    case "nothing":
      return rewritten(base, manifest, () => []);
    case "half":
      return rewritten(base, manifest, (entries) => entries.filter(({ id }) => id.endsWith("logs")));
    case "otherCell":
      return { manifest: { ...manifest, cell: "another cluster" }, blobs: none };
    case "future":
      return { manifest: { ...manifest, createdMillis: manifest.createdMillis + 864_000_000 }, blobs: none };
    case "wrongCounts": {
      const { enabled, jobs } = manifest.totals;
      return {
        manifest: { ...manifest, totals: { ...manifest.totals, enabled: enabled - 1, jobs: jobs - 1 } },
        blobs: none,
      };
    }
    case "earlierRevision":
      return rewritten(base, manifest, (entries) =>
        entries.map((entry) => ({ ...entry, revision: entry.revision - 1 })),
      );
    case "falseRollback":
      return rewritten(base, { ...manifest, rollbackOf: first }, (entries) =>
        entries.map((entry) => ({ ...entry, revision: entry.revision - 1 })),
      );
    case "otherContent":
      return rewritten(base, manifest, (entries) =>
        entries.map((entry) => ({
          ...entry,
          data: Buffer.from(Buffer.from(entry.data).toString().replace("nowhere", "elsewhere")),
        })),
      );
  }
};

/** With totals that are right, so that they do not give it away. */
const rewritten = (
  base: Snapshot,
  manifest: Manifest,
  rewrite: (entries: ReadonlyArray<SnapshotEntry>) => ReadonlyArray<SnapshotEntry>,
) => {
  const blobs = new Map<string, Uint8Array>();
  const totals = { jobs: 0, enabled: 0, customers: manifest.totals.customers };
  const segments = base.manifest.segments.map((mark, segment) => {
    const entries = rewrite(Result.getOrThrow(entriesOf(base, segment)));
    for (const { state } of entries) {
      if (state !== "removed") totals.jobs += 1;
      if (state === "enabled") totals.enabled += 1;
    }
    const { bytes, entries: count, hash, stored } = encodeSegment(entries);
    blobs.set(hash, stored);
    return { ...mark, hash, bytes, entries: count };
  });
  return { manifest: { ...manifest, segments, totals }, blobs };
};
