import { createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Place } from "./admission.ts";
import { bodyTooLarge, nodeBusy, RequestRefused } from "./request-refused.ts";

export type BodyEncoding = "identity" | "gzip" | "zstd";
type Compression = Exclude<BodyEncoding, "identity">;

/** How far a body may grow. */
export interface InflateBounds {
  /** 413 above it. */
  readonly bytesMax: number;
  /** Grows with what has been inflated; 503 when the node has no room for it. */
  readonly place: Pick<Place, "hold" | "roomBytes">;
}

/** Below this, inflating at once is cheaper than a stream. */
const syncInputBytesMax = 65_536;
/** Small input that grows beyond this goes to the thread pool after all: a bomb must not hold the event loop. */
const syncOutputBytesMax = 4_194_304;
/** Output buffer of a stream: the most that is allocated beyond the limit. */
const pieceBytes = 262_144;
/**
 * zstd frames, or gzip members with zeros between them, in one body: each costs a decoder, hence a limit of its own.
 */
export const framesMax = 256;

/** Inflates a whole body, all members or frames of it. Nothing of a damaged or cut body is used. Calls back once. */
export const inflate = (
  body: Buffer,
  encoding: Compression,
  bounds: InflateBounds,
  done: (result: Buffer | RequestRefused) => void,
): void => {
  if (body.length < syncInputBytesMax) {
    const small = Math.min(syncOutputBytesMax, bounds.bytesMax, bounds.place.roomBytes());
    const result = inflateAtOnce(body, encoding, small);
    if (result !== "too-large") return done(result);
  }
  new PieceByPiece(body, encoding, bounds, done).start();
};

const inflateAtOnce = (
  body: Buffer,
  encoding: Compression,
  bytesMax: number,
): Buffer | RequestRefused | "too-large" => {
  const frames: Array<Buffer> = [];
  let bytes = 0;
  try {
    for (let at = 0; at < body.length || frames.length === 0;) {
      if (frames.length === framesMax) return tooManyFrames(encoding);
      const options = { maxOutputLength: Math.max(1, bytesMax - bytes), info: true };
      const rest = body.subarray(at);
      const { buffer, engine } = informed(
        encoding === "gzip" ? gunzipSync(rest, options) : zstdDecompressSync(rest, options),
      );
      frames.push(buffer);
      bytes += buffer.length;
      at = nextFrameAt(body, encoding, at + engine.bytesWritten);
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? "too-large" : damaged(encoding);
  }
  if (bytes > bytesMax) return "too-large";
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, bytes);
};

/**
 * Where a decoder has to go on, from the place where one stopped without a word about the rest: Node's zstd stops after
 * each frame; its gzip goes through all members, but stops at zeros, with which some writers fill up a block.
 */
const nextFrameAt = (body: Buffer, encoding: Compression, stoppedAt: number): number => {
  let at = stoppedAt;
  if (encoding === "gzip") while (at < body.length && body[at] === 0) at += 1;
  return at;
};

/** With `info`, Node answers more than its types say. */
const informed = (result: unknown) =>
  result as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };

/** Inflates in the thread pool, one decoder after the other, and stops at the first piece that is too much. */
class PieceByPiece {
  private readonly body: Buffer;
  private readonly encoding: Compression;
  private readonly bounds: InflateBounds;
  private readonly done: (result: Buffer | RequestRefused) => void;
  private readonly pieces: Array<Buffer> = [];
  private bytes = 0;
  private frames = 0;

  constructor(
    body: Buffer,
    encoding: Compression,
    bounds: InflateBounds,
    done: (result: Buffer | RequestRefused) => void,
  ) {
    this.body = body;
    this.encoding = encoding;
    this.bounds = bounds;
    this.done = done;
  }

  start(at = 0): void {
    if (this.frames === framesMax) return this.done(tooManyFrames(this.encoding));
    this.frames += 1;
    const options = { chunkSize: pieceBytes };
    const decoder = this.encoding === "gzip" ? createGunzip(options) : createZstdDecompress(options);
    let ended = false;
    const end = (next: () => void) => {
      if (ended) return;
      ended = true;
      decoder.destroy();
      next();
    };
    decoder.on("data", (piece: Buffer) => {
      const refused = ended ? undefined : this.take(piece);
      if (refused !== undefined) end(() => this.done(refused));
    });
    // Strict about the end: a body cut short must not pass for a shorter one.
    decoder.on("error", () => end(() => this.done(damaged(this.encoding))));
    decoder.on("end", () => {
      const next = nextFrameAt(this.body, this.encoding, at + decoder.bytesWritten);
      end(() => this.startNext(next));
    });
    decoder.end(at === 0 ? this.body : this.body.subarray(at));
  }

  private startNext(at: number): void {
    if (at >= this.body.length) return this.done(Buffer.concat(this.pieces, this.bytes));
    this.start(at);
  }

  private take(piece: Buffer): RequestRefused | undefined {
    this.bytes += piece.length;
    if (this.bytes > this.bounds.bytesMax) return bodyTooLarge(this.bounds.bytesMax, "inflated body");
    if (!this.bounds.place.hold(this.body.length + this.bytes)) {
      return nodeBusy("Too many bytes are in flight on this node.", 1);
    }
    this.pieces.push(piece);
    return undefined;
  }
}

const damaged = (encoding: Compression) =>
  new RequestRefused(
    400,
    "body_damaged",
    `The body is not whole ${encoding}: nothing of it was stored. Compress it again and check that it is sent to its end.`,
  );

const tooManyFrames = (encoding: Compression) =>
  new RequestRefused(
    400,
    "too_many_frames",
    `The body has more than ${framesMax} ${encoding} frames: compress it in one piece.`,
  );
