import { Result } from "effect";
import type { Manifest } from "./manifest.ts";
import { decodeSegment, type SegmentDamaged, type SnapshotEntry } from "./segment.ts";

/** A snapshot of the configuration whose content is at hand: a manifest, and what its hashes name. Immutable. */
export interface Snapshot {
  readonly manifest: Manifest;
  /** The hash of the manifest, hexadecimal: names this snapshot and no other. */
  readonly hash: string;
  /** A segment or the catalogue as stored, by its hash. */
  readonly blob: (hash: string) => Uint8Array | undefined;
}

/** The entries of one segment, ascending by id. */
export const entriesOf = (
  { blob, manifest }: Pick<Snapshot, "blob" | "manifest">,
  segment: number,
): Result.Result<ReadonlyArray<SnapshotEntry>, SegmentDamaged | SegmentMissing> => {
  const mark = manifest.segments[segment]!;
  const stored = blob(mark.hash);
  return stored === undefined ? Result.fail(new SegmentMissing(segment, mark.hash)) : decodeSegment(stored, mark);
};

/** The manifest names a segment that is not there. */
export class SegmentMissing {
  readonly _tag = "SegmentMissing";
  readonly rule = "undecodable";
  readonly message: string;
  constructor(segment: number, hash: string) {
    this.message = `segment ${segment} (${hash.slice(0, 12)}…) is missing`;
  }
}

/** Segments that differ: all, when there is nothing to compare with. */
export const changedSegments = (before: Manifest | undefined, after: Manifest): ReadonlyArray<number> =>
  after.segments.flatMap(({ hash }, segment) => (before?.segments[segment]?.hash === hash ? [] : [segment]));
