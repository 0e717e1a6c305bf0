import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

/** The input of `send`, inflated, with how far it was read. */
export interface Source {
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file; undefined for a pipe. */
  readonly bytesTotal: number | undefined;
  /** Bytes read so far, as they are on disk: the progress of a compressed file, too. */
  readonly bytesRead: () => number;
}

/** The input could not be opened or read; `detail` is a line for people. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/** @param file a path, or `-` for stdin. gzip and zstd are known by their first bytes, whatever the name says. */
export const openSource = async (file: string): Promise<Source> => {
  const bytesTotal = file === "-" ? undefined : await sizeOf(file);
  const raw: Readable = file === "-" ? process.stdin : createReadStream(file, { highWaterMark: 262_144 });
  let read = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of raw as AsyncIterable<Buffer>) {
      read += chunk.length;
      yield chunk;
    }
  };
  return { chunks: told(inflated(counted()), file), bytesTotal, bytesRead: () => read };
};

const sizeOf = async (file: string): Promise<number | undefined> => {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new SourceError(`${file} is a directory, not a file`);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    throw asSourceError(error, file);
  }
};

const inflated = async function* (chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const head = await readHead(chunks);
  const inflate = inflaterFor(head);
  const whole = async function* (): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    yield* chunks;
  };
  if (inflate === undefined) {
    yield* whole();
    return;
  }
  // The error of any part reaches the reader of the last one.
  const output = pipeline(whole, inflate, () => {});
  yield* output as AsyncIterable<Buffer>;
};

/** Pipes may deliver a byte at a time. */
const readHead = async (chunks: AsyncGenerator<Buffer>): Promise<Buffer> => {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
};

/** Neither magic number can begin a line of JSON. */
const inflaterFor = (head: Buffer) => {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip();
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
  return undefined;
};

const told = async function* (chunks: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    throw asSourceError(error, file);
  }
};

const asSourceError = (error: unknown, file: string): SourceError => {
  if (error instanceof SourceError) return error;
  const name = file === "-" ? "stdin" : file;
  const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
  if (code === "ENOENT") return new SourceError(`there is no file ${name}`);
  if (code === "EACCES") return new SourceError(`${name} may not be read by this user`);
  if (code === "Z_BUF_ERROR") return new SourceError(`${name} is cut off: its compressed data ends too early`);
  if (code.startsWith("Z_") || code.startsWith("ZSTD_"))
    return new SourceError(`${name} is damaged: it cannot be inflated`);
  return new SourceError(`cannot read ${name}: ${code}`);
};
