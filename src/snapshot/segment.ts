import { Result, Schema } from "effect";
import { createHash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** In the order of the numbers that stand for them. */
export const entryStates = ["disabled", "enabled", "removed"] as const;
export type EntryState = (typeof entryStates)[number];

/**
 * One push job as a snapshot holds it. A removed one stays as an entry that says so, and names the revision that
 * ordered it: in a snapshot absence is never deletion, it is damage.
 */
export interface SnapshotEntry {
  readonly id: string;
  readonly state: EntryState;
  /** The job store's revision of it, or of its removal. */
  readonly revision: number;
  readonly customer: string;
  readonly dataset: string;
  /** The job as the store has it, JSON with sorted keys; of a removed one what `removal.ts` says. */
  readonly data: Uint8Array;
}

/**
 * A segment as it is stored and sent: zstd of the layout below. What names it is the SHA-256 of the layout, for two
 * compressors may differ.
 *
 *     "SPSG" version:u8 entries:u32, then for each entry, ascending by id:
 *     state:u8 revision:f64 id:(u8 length, Latin-1) customer:(u8, Latin-1) dataset:(u8, Latin-1) data:(u32 length)
 *
 * Numbers are little-endian.
 */
export interface EncodedSegment {
  /** SHA-256 of the layout, hexadecimal. */
  readonly hash: string;
  /** Of the layout. */
  readonly bytes: number;
  readonly entries: number;
  /** Compressed. */
  readonly stored: Uint8Array;
}

const magic = "SPSG";
const version = 1;
const headBytes = 9;
/** Beside texts and data: flag, revision, three lengths of a byte, one of four. */
const entryFixedBytes = 1 + 8 + 3 + 4;
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** A segment that is not what it should be; `rule` is a word for counters, `message` for people. */
export class SegmentDamaged extends Schema.TaggedError<SegmentDamaged>()("SegmentDamaged", {
  rule: Schema.Literals(["undecodable", "hashMismatch", "tooLarge"]),
  message: Schema.String,
}) {}

/** @param entries in any order, no id twice */
export const encodeSegment = (entries: ReadonlyArray<SnapshotEntry>): EncodedSegment => {
  const sorted = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const layout = Buffer.allocUnsafe(sorted.reduce((sum, entry) => sum + bytesOf(entry), headBytes));
  layout.write(magic, 0, "latin1");
  layout[4] = version;
  layout.writeUInt32LE(sorted.length, 5);
  sorted.reduce((at, entry) => write(layout, at, entry), headBytes);
  return {
    hash: hashOf(layout),
    bytes: layout.length,
    entries: sorted.length,
    stored: zstdCompressSync(layout, compression),
  };
};

/** Anything else that a manifest names, as a segment is stored. */
export const encodeBlob = (content: Uint8Array): EncodedSegment => ({
  hash: hashOf(content),
  bytes: content.length,
  entries: 0,
  stored: zstdCompressSync(content, compression),
});

const hashOf = (layout: Uint8Array): string => createHash("sha256").update(layout).digest("hex");

const bytesOf = ({ customer, data, dataset, id }: SnapshotEntry): number =>
  entryFixedBytes + id.length + customer.length + dataset.length + data.length;

const write = (layout: Buffer, from: number, entry: SnapshotEntry): number => {
  let at = from;
  layout[at] = entryStates.indexOf(entry.state);
  at = layout.writeDoubleLE(entry.revision, at + 1);
  for (const text of [entry.id, entry.customer, entry.dataset]) {
    layout[at] = text.length;
    at += 1 + layout.write(text, at + 1, "latin1");
  }
  at = layout.writeUInt32LE(entry.data.length, at);
  layout.set(entry.data, at);
  return at + entry.data.length;
};

/** What a manifest says of a segment; anything else is not it. */
export interface SegmentMark {
  readonly hash: string;
  readonly bytes: number;
  readonly entries: number;
}

/**
 * Reads a segment of unknown origin: never more memory than its mark says, never a byte that the hash does not cover.
 */
export const decodeSegment = (
  stored: Uint8Array,
  mark: SegmentMark,
): Result.Result<ReadonlyArray<SnapshotEntry>, SegmentDamaged> => {
  const layout = decodeBlob(stored, mark);
  if (Result.isFailure(layout)) return Result.fail(layout.failure);
  try {
    return Result.succeed(entriesIn(layout.success, mark));
  } catch (error) {
    return damaged("undecodable", error instanceof Error ? error.message : String(error));
  }
};

/** What `encodeBlob` was given, if these are its bytes. */
export const decodeBlob = (
  stored: Uint8Array,
  mark: Pick<SegmentMark, "bytes" | "hash">,
): Result.Result<Buffer, SegmentDamaged> => {
  let content: Buffer;
  try {
    content = zstdDecompressSync(stored, { maxOutputLength: Math.max(1, mark.bytes) });
  } catch (error) {
    const isLarge = error instanceof RangeError || (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return isLarge
      ? damaged("tooLarge", `it is larger than the ${mark.bytes} bytes that its manifest says`)
      : damaged("undecodable", "it is no zstd data, or not all of it");
  }
  const hash = hashOf(content);
  return hash === mark.hash
    ? Result.succeed(content)
    : damaged("hashMismatch", `it has the hash ${hash.slice(0, 12)}…, not ${mark.hash.slice(0, 12)}…`);
};

const damaged = (rule: SegmentDamaged["rule"], message: string) => Result.fail(new SegmentDamaged({ rule, message }));

/** @throws with a text for people; its caller makes a value of it */
const entriesIn = (layout: Buffer, mark: SegmentMark): ReadonlyArray<SnapshotEntry> => {
  if (layout.length < headBytes || layout.toString("latin1", 0, 4) !== magic) throw new Error("this is no segment");
  if (layout[4] !== version) throw new Error(`the segment is of version ${layout[4]}, this node reads ${version}`);
  const count = layout.readUInt32LE(5);
  if (count !== mark.entries) throw new Error(`the segment holds ${count} jobs, its manifest says ${mark.entries}`);
  const entries: Array<SnapshotEntry> = [];
  let at = headBytes;
  const text = (): string => {
    const to = at + 1 + layout.readUInt8(at);
    if (to > layout.length) throw new Error("the segment ends within a job");
    const read = layout.toString("latin1", at + 1, to);
    at = to;
    return read;
  };
  for (let i = 0; i < count; i++) {
    const state = entryStates[layout.readUInt8(at)];
    const revision = layout.readDoubleLE(at + 1);
    at += 9;
    const [id, customer, dataset] = [text(), text(), text()];
    const length = layout.readUInt32LE(at);
    at += 4;
    if (at + length > layout.length) throw new Error("the segment ends within a job");
    if (state === undefined) throw new Error(`the state of the job ${id} is none that this node knows`);
    if (i > 0 && entries[i - 1]!.id >= id) throw new Error(`the segment's jobs are out of order at ${id}`);
    entries.push({ id, state, revision, customer, dataset, data: layout.subarray(at, at + length) });
    at += length;
  }
  if (at !== layout.length) throw new Error("the segment goes on after its last job");
  return entries;
};
