import { Effect } from "effect";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { attemptFile, type FileFailed } from "./folder.ts";

/**
 * Whether a file holds the same records as a body. Uncompressed content is compared, because the same records may have
 * been compressed by another version of zlib. Streams both, so that memory does not grow with the file. A file that is
 * not whole gzip is not the same; one that cannot be read is a failure.
 */
export const hasSameContent = (path: string, body: ReadonlyArray<Uint8Array>): Effect.Effect<boolean, FileFailed> =>
  Effect.gen(function* () {
    const theirs = yield* inflatedDigest(() => createReadStream(path)).pipe(
      Effect.catchIf(
        ({ code }) => code.startsWith("Z_"),
        () => Effect.succeed("not gzip"),
      ),
    );
    return theirs === (yield* inflatedDigest(() => Readable.from(body)));
  });

const inflatedDigest = (source: () => Readable): Effect.Effect<string, FileFailed> =>
  attemptFile(async (signal) => {
    const hash = createHash("sha256");
    await pipeline(
      source(),
      createGunzip(),
      async (inflated: AsyncIterable<Buffer>) => {
        for await (const chunk of inflated) hash.update(chunk);
      },
      { signal },
    );
    return hash.digest("hex");
  });
