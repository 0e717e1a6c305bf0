import { Result, Schema } from "effect";
import { Packr, unpack } from "msgpackr";
import { createHash } from "node:crypto";
import { segmentCount } from "../domain/segment-of.ts";
import type { SegmentMark } from "./segment.ts";

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0));
const Hash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/));

const Mark = Schema.Struct({ hash: Hash, bytes: Count, entries: Count });

const Tally = Schema.Struct({ jobs: Count, enabled: Count, customers: Count });

/** What a snapshot of the configuration is: everything in it is named by its hash, so a manifest names one content. */
export const Manifest = Schema.Struct({
  format: Schema.Literal(1),
  /** Of the job store that it was generated from: one of another cluster is none of ours. */
  cell: Schema.NonEmptyString,
  /** Rises with each snapshot of a cell, a rollback included. */
  number: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  /** The number of the snapshot that it was made from; 0 for the first. */
  previous: Count,
  /** The job store's sequence that it reflects. */
  position: Count,
  createdMillis: Count,
  /** Who asked for it and why, for people. */
  author: Schema.String,
  reason: Schema.String,
  /** Of the snapshot whose content this one brings back. */
  rollbackOf: Schema.optionalKey(Count),
  /** Of the newest rollback that it comes after; absent: there was none. See `wentBackAt`. */
  lastRollback: Schema.optionalKey(Count),
  segments: Schema.Array(Mark).check(Schema.isBetweenLength(segmentCount, segmentCount)),
  /** The catalogue of datasets, as JSON. */
  catalogue: Mark,
  /** Removed jobs are not counted. */
  totals: Tally,
  datasets: Schema.Record(Schema.String, Tally),
});
export type Manifest = typeof Manifest.Type;

/** Bytes of its largest segment, or of its catalogue: more than that is never inflated at once. */
export const largestOf = ({ catalogue, segments }: Pick<Manifest, "catalogue" | "segments">): number =>
  segments.reduce((most, { bytes }) => Math.max(most, bytes), catalogue.bytes);

/**
 * Number of the newest rollback on the way to this snapshot, itself included; 0: there was none. A node that serves
 * something older has missed it: for that node it goes back in time, to where the rollback had gone.
 */
export const wentBackAt = ({
  lastRollback = 0,
  number,
  rollbackOf,
}: Pick<Manifest, "lastRollback" | "number" | "rollbackOf">): number =>
  rollbackOf === undefined ? lastRollback : number;

/** Bytes that are no manifest, or one that this version cannot read. */
export class ManifestDamaged extends Schema.TaggedError<ManifestDamaged>()("ManifestDamaged", {
  rule: Schema.Literals(["undecodable", "hashMismatch", "tooLarge"]),
  message: Schema.String,
}) {}

/** A manifest of 1,024 segments has about 60 KB. */
export const manifestBytesMax = 262_144;

const packr = new Packr({ useRecords: false });
const hashBytes = 32;

/**
 * The hash of its own content first, then the content: hashes are 32 bytes each, not text. Equal manifests make equal
 * bytes, whichever way they came to be: a control process that begins anew makes the same one again.
 */
export const encodeManifest = (manifest: Manifest): Uint8Array => {
  const { author, cell, createdMillis, format, lastRollback, number, position, previous, reason, rollbackOf } =
    manifest;
  const content = packr.pack({
    format,
    cell,
    number,
    previous,
    position,
    createdMillis,
    author,
    reason,
    ...(rollbackOf === undefined ? {} : { rollbackOf }),
    ...(lastRollback === undefined ? {} : { lastRollback }),
    segments: manifest.segments.map(packed),
    catalogue: packed(manifest.catalogue),
    totals: inOrder(manifest.totals),
    datasets: Object.fromEntries(
      Object.keys(manifest.datasets)
        .toSorted()
        .map((name) => [name, inOrder(manifest.datasets[name]!)]),
    ),
  });
  return Buffer.concat([hashOf(content), content]);
};

const inOrder = ({ customers, enabled, jobs }: typeof Tally.Type) => ({ jobs, enabled, customers });

/** What names a snapshot: the hash of its manifest, hexadecimal. */
export const manifestHash = (encoded: Uint8Array): string =>
  Buffer.from(encoded.subarray(0, hashBytes)).toString("hex");

const hashOf = (content: Uint8Array): Buffer => createHash("sha256").update(content).digest();

const packed = ({ bytes, entries, hash }: SegmentMark) => [Buffer.from(hash, "hex"), bytes, entries];

const decode = Schema.decodeUnknownResult(Manifest);

export const decodeManifest = (encoded: Uint8Array): Result.Result<Manifest, ManifestDamaged> => {
  if (encoded.length > manifestBytesMax) return damaged("tooLarge", `the manifest has ${encoded.length} bytes`);
  const content = encoded.subarray(hashBytes);
  if (encoded.length <= hashBytes) return damaged("undecodable", "the manifest is cut off");
  if (manifestHash(encoded) !== hashOf(content).toString("hex")) {
    return damaged("hashMismatch", "the manifest is not what its hash says");
  }
  try {
    const value = unpack(content) as { readonly segments: ReadonlyArray<unknown>; readonly catalogue: unknown };
    const decoded = decode({
      ...value,
      catalogue: unpacked(value.catalogue),
      segments: value.segments.map(unpacked),
    });
    return Result.isSuccess(decoded)
      ? Result.succeed(decoded.success)
      : damaged("undecodable", `the manifest does not decode: ${decoded.failure.message}`);
  } catch {
    return damaged("undecodable", "the manifest does not decode");
  }
};

const unpacked = (value: unknown): unknown => {
  const [hash, bytes, entries] = value as [Uint8Array, unknown, unknown];
  return { hash: Buffer.from(hash).toString("hex"), bytes, entries };
};

const damaged = (rule: ManifestDamaged["rule"], message: string) => Result.fail(new ManifestDamaged({ rule, message }));
