import { Packr, unpack } from "msgpackr";
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Chunk, Writer } from "../actors/ports/log.ts";

/**
 * The framing of a LOG message's payload:
 *
 *     version (1 byte) | kind (1) | header length (4, little-endian) | header (msgpack array) | body
 *
 * plain: one chunk; the pair is in the subject; the body is one gzip member of newline-terminated records.
 * mux: many raw chunks, at most one per pair; the body is their concatenation, compressed once (zstd 1).
 */
const version = 1;
const kinds = { plain: 1, mux: 2 } as const;
const prefixBytes = 6;

type PlainHeader = [
  incarnation: string,
  number: number,
  absent: number,
  recordsBefore: number,
  jobSet: number,
  records: number,
  bytes: number,
];
/** The pairs are one string, separated by a space: a thousand strings take longer to write and to read. */
type MuxHeader = [...PlainHeader, pairs: string, records: Array<number>, bytes: Array<number>];

const packr = new Packr({ useRecords: false });

/** The chunks of one message, as columns: one for a plain message. */
export interface ChunkColumns {
  readonly pairs: ReadonlyArray<{ readonly key: string }>;
  readonly records: ReadonlyArray<number>;
  /** Uncompressed. */
  readonly bytes: ReadonlyArray<number>;
}

export const frame = (kind: keyof typeof kinds, header: ReadonlyArray<unknown>, body: Uint8Array): Buffer => {
  const packed = packr.pack(header);
  const framed = Buffer.allocUnsafe(prefixBytes + packed.length + body.length);
  framed[0] = version;
  framed[1] = kinds[kind];
  framed.writeUInt32LE(packed.length, 2);
  framed.set(packed, prefixBytes);
  framed.set(body, prefixBytes + packed.length);
  return framed;
};

const plainHeader = (writer: Writer, jobSet: number, { bytes, records }: ChunkColumns): PlainHeader => [
  writer.incarnation,
  writer.number,
  writer.absent,
  writer.recordsBefore,
  jobSet,
  sum(records),
  sum(bytes),
];

/** @param member one gzip member of newline-terminated records, as long as the one chunk says when inflated */
export const framePlain = (writer: Writer, jobSet: number, chunk: ChunkColumns, member: Uint8Array): Buffer =>
  frame("plain", plainHeader(writer, jobSet, chunk), member);

/** @param body the chunks' raw records, concatenated in their order and compressed with `compressMux` */
export const frameMux = (writer: Writer, jobSet: number, chunks: ChunkColumns, body: Uint8Array): Buffer => {
  const pairs = chunks.pairs.map(({ key }) => key).join(" ");
  return frame("mux", [...plainHeader(writer, jobSet, chunks), pairs, chunks.records, chunks.bytes], body);
};

const sum = (counts: ReadonlyArray<number>): number => {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i]!;
  return total;
};

/** One output buffer: by default each 16 KB of output is a call, or a trip to the thread pool, of its own. */
const zstdOptions = ({ length }: Uint8Array) => ({
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
  chunkSize: Math.max(1_024, length >> 2),
});
/** Below this a thread hop costs more than it saves. */
const asyncBytesMin = 65_536;

export const compressMux = (raw: Uint8Array): Promise<Uint8Array> =>
  raw.length < asyncBytesMin
    ? Promise.resolve(zstdCompressSync(raw, zstdOptions(raw)))
    : new Promise((resolve, reject) =>
        zstdCompress(raw, zstdOptions(raw), (error, result) => (error === null ? resolve(result) : reject(error))),
      );

/** The payload is not one of ours, or is damaged: `reason` says what does not fit. */
export class ChunkUndecodable extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(`undecodable log message: ${reason}`);
    this.reason = reason;
  }
}

export interface Decoded {
  readonly writer: Writer;
  readonly jobSet: number;
  readonly records: number;
  readonly chunks: ReadonlyArray<Chunk>;
}

/**
 * Takes a payload apart. Bodies of plain chunks are not inflated.
 *
 * @param pairKey from the subject; undefined for a mux message
 * @throws ChunkUndecodable
 */
export const decode = (payload: Uint8Array, pairKey: string | undefined): Decoded => {
  if (payload.length < prefixBytes) throw new ChunkUndecodable("shorter than its prefix");
  if (payload[0] !== version) throw new ChunkUndecodable(`version ${payload[0]}, this node reads ${version}`);
  const view = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const bodyAt = prefixBytes + view.readUInt32LE(2);
  if (bodyAt > payload.length) throw new ChunkUndecodable("shorter than its header");
  const header = unpackHeader(view.subarray(prefixBytes, bodyAt), payload[1] === kinds.mux);
  const [incarnation, number, absent, recordsBefore, jobSet, records, bytes] = header;
  const body = view.subarray(bodyAt);
  const common = { writer: { incarnation, number, absent, recordsBefore }, jobSet, records };
  if (payload[1] === kinds.plain && pairKey !== undefined) {
    return { ...common, chunks: [{ pairKey, records, bytes, encoding: "gzip", data: body, from: 0, to: body.length }] };
  }
  if (payload[1] === kinds.mux && pairKey === undefined) {
    return { ...common, chunks: muxChunks(header as unknown as MuxHeader, body) };
  }
  throw new ChunkUndecodable("its kind does not fit its subject");
};

const unpackHeader = (packed: Uint8Array, isMux: boolean): PlainHeader => {
  let header: unknown;
  try {
    header = unpack(packed);
  } catch {
    throw new ChunkUndecodable("its header is not msgpack");
  }
  // Checked value by value: a wrong one would make wrong books, or another error in the reader.
  if (isPlainHeader(header, isMux ? 10 : 7) && (!isMux || hasEntries(header as unknown as MuxHeader))) return header;
  throw new ChunkUndecodable("its header is not ours");
};

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isPlainHeader = (header: unknown, length: number): header is PlainHeader =>
  Array.isArray(header) &&
  header.length === length &&
  typeof header[0] === "string" &&
  header.slice(1, 7).every((value) => isCount(value));

/** The records and bytes of the entries add up to the totals of the header. */
const hasEntries = ([, , , , , recordsTotal, bytesTotal, pairs, records, bytes]: MuxHeader): boolean =>
  typeof pairs === "string" &&
  addsUp(records, recordsTotal) &&
  addsUp(bytes, bytesTotal) &&
  records.length === bytes.length;

const addsUp = (counts: unknown, total: number): boolean => {
  if (!Array.isArray(counts)) return false;
  let found = 0;
  for (let i = 0; i < counts.length; i++) {
    if (!isCount(counts[i])) return false;
    found += counts[i] as number;
  }
  return found === total;
};

/** More than a mux message holds with the default limits. */
const inflatedAtOnceMax = 8_388_608;

const muxChunks = (header: MuxHeader, body: Uint8Array): ReadonlyArray<Chunk> => {
  const [, , , , , , bytesTotal, pairsJoined, records, bytes] = header;
  const pairs = pairsJoined === "" ? [] : pairsJoined.split(" ");
  if (pairs.length !== records.length) throw new ChunkUndecodable("its header does not name each chunk's pair");
  let raw: Buffer;
  try {
    raw = zstdDecompressSync(body, {
      maxOutputLength: Math.max(1, bytesTotal),
      // One more than it should hold: when the last buffer is full, another is made to look for the end. Bounded, for a
      // damaged header may promise anything.
      chunkSize: Math.max(64, Math.min(bytesTotal, inflatedAtOnceMax) + 1),
    });
  } catch (error) {
    throw new ChunkUndecodable(error instanceof Error ? error.message : "its body does not inflate");
  }
  if (raw.length !== bytesTotal) throw new ChunkUndecodable("its body is not as long as its header says");
  const chunks: Array<Chunk> = [];
  let at = 0;
  for (let i = 0; i < pairs.length; i++) {
    const end = at + bytes[i]!;
    chunks.push({
      pairKey: pairs[i]!,
      records: records[i]!,
      bytes: bytes[i]!,
      encoding: "raw",
      data: raw,
      from: at,
      to: end,
    });
    at = end;
  }
  return chunks;
};
