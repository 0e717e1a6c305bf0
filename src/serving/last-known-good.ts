import { Effect, Result, Schema } from "effect";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { decodeManifest, manifestHash } from "../snapshot/manifest.ts";
import { decodeBlob } from "../snapshot/segment.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

/** The disk does not take or give what it should. The node goes on with what it has in memory. */
export class LastKnownGoodError extends Schema.TaggedError<LastKnownGoodError>()("LastKnownGoodError", {
  path: Schema.String,
  message: Schema.String,
}) {}

export interface KeptSnapshot extends Snapshot {
  /** The manifest as it was stored. */
  readonly encoded: Uint8Array;
}

/**
 * The newest snapshot that this node served, on its own disk: enough to serve without control plane, KV and network.
 * A directory with one file per segment, named by its hash, and `manifest`, which is replaced last: whoever dies in
 * between finds the one before.
 */
export interface LastKnownGood {
  /** Undefined: there is none. One that is damaged is none, and is said so. */
  readonly load: Effect.Effect<KeptSnapshot | undefined, LastKnownGoodError>;
  /** Durable when it completes. Files that this snapshot does not name are deleted afterwards. */
  readonly save: (snapshot: Snapshot, encodedManifest: Uint8Array) => Effect.Effect<void, LastKnownGoodError>;
}

const manifestName = "manifest";
/** Writes at one time: files are synced one by one. */
const writesMax = 8;

export const lastKnownGoodIn = (directory: string): LastKnownGood => {
  const segments = join(directory, "segments");
  const load = Effect.gen(function* () {
    const path = join(directory, manifestName);
    const encoded = yield* readIfThere(path);
    if (encoded === undefined) return undefined;
    const manifest = decodeManifest(encoded);
    if (Result.isFailure(manifest)) return yield* damaged(path, manifest.failure.message);
    const blobs = new Map<string, Uint8Array>();
    for (const mark of [...manifest.success.segments, manifest.success.catalogue]) {
      if (blobs.has(mark.hash)) continue;
      const stored = yield* readIfThere(join(segments, mark.hash));
      if (stored === undefined) return yield* damaged(join(segments, mark.hash), "it is missing");
      const whole = decodeBlob(stored, mark);
      if (Result.isFailure(whole)) {
        // Taken away, for it would be taken for whole when it is to be saved again.
        yield* attempt(segments, () => rm(join(segments, mark.hash), { force: true }));
        return yield* damaged(join(segments, mark.hash), whole.failure.message);
      }
      blobs.set(mark.hash, stored);
    }
    const blob = (hash: string) => blobs.get(hash);
    return { manifest: manifest.success, hash: manifestHash(encoded), blob, encoded } satisfies KeptSnapshot;
  });

  const save = Effect.fnUntraced(function* ({ blob, manifest }: Snapshot, encodedManifest: Uint8Array) {
    yield* attempt(segments, () => mkdir(segments, { recursive: true, mode: 0o700 }));
    const there = new Set(yield* attempt(segments, () => readdir(segments)));
    const wanted = new Set([...manifest.segments, manifest.catalogue].map(({ hash }) => hash));
    yield* Effect.forEach(
      [...wanted].filter((hash) => !there.has(hash)),
      (hash) => {
        const stored = blob(hash);
        const path = join(segments, hash);
        return stored === undefined
          ? Effect.fail(new LastKnownGoodError({ path, message: "it is not at hand" }))
          : attempt(path, () => writeDurably(path, stored));
      },
      { concurrency: writesMax, discard: true },
    );
    // The names are durable before the manifest tells of them.
    yield* attempt(segments, () => syncDirectory(segments));
    const path = join(directory, manifestName);
    yield* attempt(path, () => writeDurably(path, encodedManifest));
    yield* attempt(directory, () => syncDirectory(directory));
    const left = [...there].filter((hash) => !wanted.has(hash));
    yield* Effect.forEach(left, (hash) => attempt(hash, () => rm(join(segments, hash), { force: true })), {
      concurrency: writesMax,
      discard: true,
    }).pipe(Effect.ignore);
  });

  return { load, save };
};

const attempt = <A>(path: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) => new LastKnownGoodError({ path, message: error instanceof Error ? error.message : String(error) }),
  });

const readIfThere = (path: string) =>
  attempt(path, () => readFile(path).catch((error) => (isMissing(error) ? undefined : Promise.reject(error))));

const damaged = (path: string, message: string) =>
  Effect.as(
    Effect.logError("The last known good configuration on this node's disk is damaged: it is not used.", {
      path,
      message,
    }),
    undefined,
  );

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/** The file is there whole, or not at all. It holds secrets. */
const writeDurably = async (path: string, content: Uint8Array): Promise<void> => {
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
};

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};
