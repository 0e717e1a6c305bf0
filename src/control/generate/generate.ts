import { Effect, Result } from "effect";
import { segmentCount, segmentOf } from "../../domain/segment-of.ts";
import { encodeManifest, type Manifest, manifestHash, wentBackAt } from "../../snapshot/manifest.ts";
import { encodeBlob, encodeSegment, type SegmentMark, type SnapshotEntry } from "../../snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../../snapshot/snapshot.ts";
import { Totals } from "./totals.ts";

export interface GenerateInput {
  /** What the new one is made from; undefined for the first. */
  readonly previous: Snapshot | undefined;
  /** Identity of the job store. */
  readonly cell: string;
  /** Above that of every snapshot of this cell before. */
  readonly number: number;
  /** The job store's sequence up to which `changed` tells everything. */
  readonly position: number;
  /**
   * The newest of each job that differs from `previous`, removed ones as such. In any order; no id twice. Gone through
   * several times when there are many: what makes entries as they are asked for needs memory for a part of them.
   */
  readonly changed: Iterable<SnapshotEntry>;
  /** How many those are, about; undefined: not many, or, without `previous`, maybe. */
  readonly changedCount?: number | undefined;
  /** Of removed jobs, which need no entry any more. */
  readonly mayForget: (removed: SnapshotEntry) => boolean;
  /** The catalogue of datasets as JSON. */
  readonly catalogue: Uint8Array;
  readonly author: string;
  readonly reason: string;
  readonly nowMillis: number;
}

/** A snapshot that was made, and what of it nobody has yet. */
export interface Generated {
  readonly manifest: Manifest;
  readonly encoded: Uint8Array;
  readonly hash: string;
  /** Segments and catalogue that `previous` has not, by hash. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/**
 * Makes the next snapshot: segments that nothing happened to are taken over by their hash, unread.
 *
 * @returns a failure with a text when a segment of `previous` that has to be changed cannot be read
 */
export const generate = Effect.fn("control.generate")(function* (input: GenerateInput) {
  const { previous } = input;
  const { changedCount = previous === undefined ? Infinity : 0 } = input;
  const rangeSize = segmentCount / (changedCount > atOnceMax ? passesOfMany : 1);
  let bySegment = new Map<number, Map<string, SnapshotEntry>>();
  const blobs = new Map<string, Uint8Array>();
  const totals = new Totals(previous?.manifest);
  const empty = previous === undefined ? encodeSegment([]) : undefined;
  if (empty !== undefined) blobs.set(empty.hash, empty.stored);
  const segments: Array<SegmentMark> = [];
  for (let segment = 0; segment < segmentCount; segment++) {
    if (segment % rangeSize === 0) bySegment = yield* entriesOfRange(input.changed, segment, segment + rangeSize);
    const changed = bySegment.get(segment);
    const mark = previous?.manifest.segments[segment] ?? markOf(empty!);
    if (changed === undefined) {
      segments.push(mark);
      continue;
    }
    // Half a millisecond each, with a million jobs: others have their turn between two.
    yield* Effect.yieldNow;
    const before = previous === undefined ? Result.succeed([]) : entriesOf(previous, segment);
    if (Result.isFailure(before)) return yield* Effect.fail(`segment ${segment}: ${before.failure.message}`);
    const after = merged(before.success, changed, input.mayForget);
    totals.replace(before.success, after);
    const encoded = encodeSegment(after);
    segments.push(markOf(encoded));
    if (encoded.hash !== mark.hash) blobs.set(encoded.hash, encoded.stored);
    bySegment.delete(segment);
  }
  const catalogue = encodeBlob(input.catalogue);
  if (catalogue.hash !== previous?.manifest.catalogue.hash) blobs.set(catalogue.hash, catalogue.stored);
  const lastRollback = previous === undefined ? 0 : wentBackAt(previous.manifest);
  const manifest: Manifest = {
    format: 1,
    cell: input.cell,
    number: input.number,
    previous: previous?.manifest.number ?? 0,
    position: input.position,
    createdMillis: input.nowMillis,
    author: input.author,
    reason: input.reason,
    ...(lastRollback === 0 ? {} : { lastRollback }),
    segments,
    catalogue: markOf(catalogue),
    ...totals.get(),
  };
  const encoded = encodeManifest(manifest);
  return { manifest, encoded, hash: manifestHash(encoded), blobs } satisfies Generated;
});

/** Jobs are an object each while they wait for their segment: of more than this, an eighth at a time. */
const atOnceMax = 100_000;
const passesOfMany = 8;
const sliceSize = 50_000;

const entriesOfRange = Effect.fnUntraced(function* (all: Iterable<SnapshotEntry>, from: number, to: number) {
  const bySegment = new Map<number, Map<string, SnapshotEntry>>();
  let seen = 0;
  for (const entry of all) {
    if (++seen % sliceSize === 0) yield* Effect.yieldNow;
    const segment = segmentOf(entry.customer);
    if (segment < from || segment >= to) continue;
    const entries = bySegment.get(segment) ?? new Map<string, SnapshotEntry>();
    bySegment.set(segment, entries.set(entry.id, entry));
  }
  return bySegment;
});

const markOf = ({ bytes, entries, hash }: SegmentMark): SegmentMark => ({ hash, bytes, entries });

const merged = (
  before: ReadonlyArray<SnapshotEntry>,
  changed: ReadonlyMap<string, SnapshotEntry>,
  mayForget: (removed: SnapshotEntry) => boolean,
): ReadonlyArray<SnapshotEntry> => {
  const kept = before.filter((entry) => !changed.has(entry.id) && !(entry.state === "removed" && mayForget(entry)));
  return [...kept, ...changed.values()];
};
