import { Effect, Result } from "effect";
import { segmentCount } from "../../domain/segment-of.ts";
import { encodeManifest, type Manifest, manifestHash } from "../../snapshot/manifest.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import { changedSegments, entriesOf, type Snapshot } from "../../snapshot/snapshot.ts";
import { Totals } from "../generate/totals.ts";
import { idMoves } from "./id-moves.ts";

/** A snapshot made of others' segments: nothing of it is stored but its manifest. */
export interface Staged {
  readonly snapshot: Snapshot;
  readonly encoded: Uint8Array;
  /** Jobs that are enabled in it and are not in the base. */
  readonly added: number;
}

/** Customers are spread over the segments by a hash: the first `percent` of the segments are a share of them. */
export const segmentsOf = (percent: number): number => Math.ceil((segmentCount * percent) / 100);

/**
 * The snapshot that serves the first `percent` of the customers the target, and everybody else the base. The same input
 * makes the same bytes, so that a control process that died in between makes it again.
 *
 * @returns a failure with a text when a segment cannot be read
 */
export const stageOf = Effect.fn("control.stageOf")(function* (
  base: Snapshot,
  target: Snapshot,
  { number, percent, previous }: { readonly number: number; readonly percent: number; readonly previous: number },
): Effect.fn.Return<Staged, string> {
  const upTo = segmentsOf(percent);
  const isAll = upTo >= segmentCount;
  const totals = new Totals(base.manifest);
  let added = 0;
  const taken = yield* takenFor(base, target, upTo);
  for (const segment of changedSegments(base.manifest, target.manifest)) {
    if (!taken.has(segment)) continue;
    const { after, before } = yield* bothOf(base, target, segment);
    totals.replace(before, after);
    added += addedIn(before, after);
  }
  const manifest: Manifest = {
    ...target.manifest,
    number,
    previous,
    // Only when all of it is in force.
    position: isAll ? target.manifest.position : Math.min(base.manifest.position, target.manifest.position),
    segments: target.manifest.segments.map((mark, segment) =>
      taken.has(segment) ? mark : base.manifest.segments[segment]!,
    ),
    // Not anybody's share: it says how to find out whose a record is. Who serves some of the target reads as before.
    catalogue: isAll ? target.manifest.catalogue : base.manifest.catalogue,
    ...totals.get(),
  };
  return { ...stagedOf(manifest, (hash) => target.blob(hash) ?? base.blob(hash)), added };
});

/** The share, and what has to go with it: in a rollback an id may go back to another customer, of another segment. */
const takenFor = Effect.fnUntraced(function* (base: Snapshot, target: Snapshot, upTo: number) {
  const taken = new Set(Array.from({ length: upTo }, (_, segment) => segment));
  // Going forth, a removal is in force before its id is given away: nothing has to be looked for.
  if (target.manifest.rollbackOf === undefined || upTo >= segmentCount) return taken;
  const moves = idMoves();
  for (const segment of changedSegments(base.manifest, target.manifest)) {
    const { after, before } = yield* bothOf(base, target, segment);
    moves.add(segment, before, after);
  }
  moves.complete(taken);
  return taken;
});

const bothOf = Effect.fnUntraced(function* (base: Snapshot, target: Snapshot, segment: number) {
  yield* Effect.yieldNow;
  const before = entriesOf(base, segment);
  const after = entriesOf(target, segment);
  if (Result.isFailure(before)) return yield* Effect.fail(`segment ${segment}: ${before.failure.message}`);
  if (Result.isFailure(after)) return yield* Effect.fail(`segment ${segment}: ${after.failure.message}`);
  return { before: before.success, after: after.success };
});

const addedIn = (before: ReadonlyArray<SnapshotEntry>, after: ReadonlyArray<SnapshotEntry>): number => {
  const enabled = new Set(before.filter(({ state }) => state === "enabled").map(({ id }) => id));
  return after.filter(({ id, state }) => state === "enabled" && !enabled.has(id)).length;
};

/** The content of an earlier snapshot as a new one. */
export const bringBack = (
  content: Snapshot,
  rest: Pick<Manifest, "author" | "createdMillis" | "number" | "previous" | "reason">,
): Omit<Staged, "added"> => {
  // What the content came after is passed over: this one is a rollback itself.
  const { lastRollback: _, ...own } = content.manifest;
  const manifest: Manifest = { ...own, ...rest, rollbackOf: content.manifest.number };
  return stagedOf(manifest, content.blob);
};

const stagedOf = (manifest: Manifest, blob: Snapshot["blob"]): Omit<Staged, "added"> => {
  const encoded = encodeManifest(manifest);
  return { encoded, snapshot: { manifest, hash: manifestHash(encoded), blob } };
};
